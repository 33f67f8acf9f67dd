"""`python -m tests.pictures [--minutes 60] [--folder prod/pictures]`: see the package's first lines."""

import argparse
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from prod.local.packages import install
from tests.browser.client import CHROMIUM, WHY_NOT, Chromium
from tests.browser.tab import Tab
from tests.pictures import terminal, traffic
from tests.pictures.stage import WORKFLOW, Stage

FOLDER = Path(__file__).resolve().parents[2] / "prod" / "pictures"
REQUEST = "order-4711"
WIDTH = 1280
FONTS = {"apt-get": ("fonts-inter", "fonts-dejavu-core")}
PAGES = {
    "workflow": ("#/workflows/{workflow}", 760),
    "overview": ("#/", 980),
    "queue": ("#/queues/images", 980),
    "schedules": ("#/schedules", 980),
}


def main() -> int:
    """Returns 0 when every picture was taken."""
    parser = argparse.ArgumentParser(prog="python -m tests.pictures", description="Take the pictures of Waybill.")
    parser.add_argument(
        "--minutes", type=float, default=60, help="how long the shop's jobs run before the pages' pictures"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go")
    options = parser.parse_args()
    if not CHROMIUM:
        print(WHY_NOT, file=sys.stderr)
        return 1
    if not _has_inter() and (reason := install(FONTS, _has_inter)):
        print(f"Inter can't be installed here ({reason}): the pictures have another font.", file=sys.stderr)
    options.folder.mkdir(parents=True, exist_ok=True)
    with Stage() as stage, Chromium() as browser:
        photographer = Photographer(browser, options.folder)
        photographer.consoles("start", _consoles(stage, (0, 0)))
        _story(stage, photographer)
        stage.make_schedules()
        traffic.run(stage, options.minutes)
        stage.start_server_anew()
        workflow = stage.post("/api/workflows", WORKFLOW)
        photographer.page("request", f"{stage.server.url}/#/requests/{REQUEST}", 700)
        for name, (hash, height) in PAGES.items():
            photographer.page(name, f"{stage.server.url}/{hash.format(workflow=workflow['id'])}", height)
    return 0


def _has_inter() -> bool:
    if not shutil.which("fc-list"):
        return False
    return "Inter" in subprocess.run(["fc-list"], capture_output=True, text=True).stdout


def _consoles(stage: Stage, before: tuple[int, int]) -> list[tuple[str, str]]:
    """What both have said since they had said so many characters."""
    server, worker = stage.server.said()[before[0] :], stage.worker.said()[before[1] :]
    return [("python server.py", server), ("python worker.py", worker)]


def _story(stage: Stage, photographer: "Photographer") -> None:
    """A mail that the mail server does not take at first, and the webhook that tells of its end."""
    before = len(stage.server.said()), len(stage.worker.said())
    job = {
        "type": "email",
        "payload": {"to": "test@gmail.com", "subject": "Hi", "text": "Hello"},
        "backoff": {"base_s": 2, "cap_s": 60},
        "callback_url": stage.hook,
    }
    stage.smtp.plan("rcpt", "451 4.3.0 mailbox database is restarting")
    stage.post("/api/jobs", job, REQUEST)
    stage.worker.wait_for("job.finished", 2)
    photographer.consoles("story", _consoles(stage, before), [REQUEST])
    command = f"grep -h {shlex.quote(REQUEST)} logs/app.log logs/worker.log"
    lines = [
        line
        for program in (stage.server, stage.worker)
        for line in (program.folder / "logs" / program.log_name).read_text("utf-8").splitlines()
        if REQUEST in line
    ]
    photographer.consoles("one-id", [("one id in both logs", "\n".join([f"$ {command}", *lines]))], [REQUEST])


class Photographer:
    """Each picture is a PNG of WIDTH pixels; pages have one in light and one in dark."""

    def __init__(self, browser: Chromium, folder: Path) -> None:
        self._browser = browser
        self._folder = folder

    def consoles(self, name: str, texts: list[tuple[str, str]], marks: list[str] | None = None) -> None:
        tab = self._browser.tab(width=WIDTH, height=400)
        frame = tab.call("Page.getFrameTree")["frameTree"]["frame"]["id"]
        tab.call("Page.setDocumentContent", frameId=frame, html=terminal.page(texts, marks or ()))
        tab.resize(WIDTH, int(tab.js("document.documentElement.scrollHeight")))
        self._take(tab, name)

    def page(self, name: str, url: str, height: int) -> None:
        for mode in ("light", "dark"):
            tab = self._browser.tab(width=WIDTH, height=height, dark=mode == "dark")
            tab.open(url)
            waits = "[...document.querySelectorAll('.ghost')].some(one => one.checkVisibility())"
            tab.until(f"!!document.querySelector('main h1') && !{waits}")
            time.sleep(2.5)  # For the digest's next message: the page is as live as its reader sees it.
            self._take(tab, f"{name}-{mode}")

    def _take(self, tab: Tab, name: str) -> None:
        path = self._folder / f"{name}.png"
        tab.screenshot(path)
        tab.close()
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    sys.exit(main())
