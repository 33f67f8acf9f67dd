"""A browser for tests, with the standard library alone: Chromium, driven over the DevTools protocol through two pipes.

`--remote-debugging-pipe` has Chromium read commands from descriptor 3 and write answers and events to descriptor 4,
each a JSON text that ends with a NUL byte. No port is opened, no WebSocket is needed, and when this process ends the
pipe closes and Chromium ends with it. One thread, no callbacks: `call` writes a command and reads until its answer is
there; what else comes meanwhile is an event, and given to its tab. https://chromedevtools.github.io/devtools-protocol/

    with Chromium() as browser:
        tab = browser.tab(width=390, height=844, dark=True)
        tab.open("http://127.0.0.1:8000/")
        tab.click("#help")
        tab.wait_for("dialog h2", "Keys")
"""

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

from prod.local import chromium
from tests.browser.tab import BrowserError, Tab

CHROMIUM = chromium.binary()
WHY_NOT = "no chromium is installed here; `make browser` installs Debian's"
DEADLINE_S = 20.0
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    # Without them a window costs a third more: the pages in its own frame, and a process that waits for a next page.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,SpareRendererForSitePerProcess",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
)


class Chromium:
    """One Chromium with a profile of its own, thrown away at the end."""

    def __init__(self) -> None:
        self._profile = tempfile.mkdtemp(prefix="wb-chromium-")
        # Away from 3 and 4 themselves, which the dup2 below would close under each other.
        commands_in, self._write_fd = map(_high, os.pipe())
        self._read_fd, answers_out = map(_high, os.pipe())
        log = _high(os.open(self._log, os.O_WRONLY | os.O_CREAT, 0o600))
        command = [CHROMIUM, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        places = ((commands_in, 3), (answers_out, 4), (log, 1), (log, 2))
        actions = [(os.POSIX_SPAWN_DUP2, fd, place) for fd, place in places]
        # A process group of its own: all its children end with it, and nothing else does.
        self.pid = os.posix_spawn(CHROMIUM, command, os.environ, file_actions=actions, setpgroup=0)
        for fd in (commands_in, answers_out, log):
            os.close(fd)
        self._buffer = bytearray()
        self._last_id = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._tabs: dict[str, Tab] = {}
        try:
            self.call("Browser.getVersion")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()

    def tab(self, *, beside: Tab | None = None, is_window: bool = False, **how: Any) -> Tab:
        """A new tab. It shares storage, cache, channels and connections with the tab `beside` it, and lies over it, if
        it is no window of its own; without one it shares nothing."""
        context = beside.context if beside else self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call(
            "Target.createTarget", url="about:blank", browserContextId=context, newWindow=is_window or not beside
        )["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session, context, target)
        self._tabs[session] = tab
        tab.set_up(**how)
        return tab

    def call(self, method: str, session: str | None = None, /, **parameters: Any) -> dict[str, Any]:
        """One command and its answer. Raises BrowserError where it is refused, or is not answered in DEADLINE_S."""
        self._last_id += 1
        number = self._last_id
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write_fd, data) :]
        until_s = time.monotonic() + DEADLINE_S
        while number not in self._answers:
            self.pump(until_s - time.monotonic())
            if time.monotonic() > until_s:
                raise BrowserError(f"{method} was not answered within {DEADLINE_S:g} s")
        answer = self._answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error'].get('message')}")
        result: dict[str, Any] = answer["result"]
        return result

    def pump(self, wait_s: float) -> None:
        """Take in what has come, or comes within wait_s."""
        if not select.select([self._read_fd], [], [], max(0.0, wait_s))[0]:
            return
        piece = os.read(self._read_fd, 1 << 20)
        if not piece:
            raise BrowserError(f"chromium has ended:\n{self._log.read_text('utf-8', 'replace')[-2000:]}")
        self._buffer += piece
        *whole, rest = self._buffer.split(b"\0")
        self._buffer = bytearray(rest)
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self._answers[message["id"]] = message
            elif message.get("sessionId") in self._tabs:
                self._tabs[message["sessionId"]].take_in(message["method"], message["params"])

    def close(self) -> None:
        """End it, by its own group and id alone, and forget its profile."""
        for fd in (self._write_fd, self._read_fd):
            os.close(fd)
        until_s = time.monotonic() + 3
        is_over = False
        while not is_over and time.monotonic() < until_s:
            is_over = bool(os.waitpid(self.pid, os.WNOHANG)[0])
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # What is left of it: a renderer may outlive the first process.
        if not is_over:
            os.waitpid(self.pid, 0)
        shutil.rmtree(self._profile, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return Path(self._profile, "stderr")


def _high(fd: int) -> int:
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved
