"""A real Prometheus of a test's own, on loopback: it scrapes servers under the job `waybill`, and watches rules.

    with Prometheus([server.url], rules) as prometheus:
        prometheus.query("max(waybill_workers)")     [{"metric": {}, "value": [1764410060.1, "1"]}]
        prometheus.firing()                          {"WaybillNoWorker"}

PROGRAM is None where none is installed: tests skip.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.waiting import wait_until

PROGRAM = shutil.which("prometheus")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Prometheus:
    """rules: the text of a file of rules. scrape_s: as an interval and as the limit of a scrape."""

    def __init__(self, urls: Iterable[str], rules: str, *, scrape_s: int) -> None:
        self._stack = contextlib.ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-prometheus-")))
        targets = json.dumps([url.removeprefix("http://") for url in urls])
        (self._folder / "rules.yml").write_text(rules, encoding="utf-8")
        (self._folder / "prometheus.yml").write_text(
            f"global: {{scrape_interval: {scrape_s}s, scrape_timeout: {scrape_s}s, evaluation_interval: 500ms}}\n"
            "rule_files: [rules.yml]\n"
            f"scrape_configs: [{{job_name: waybill, static_configs: [{{targets: {targets}}}]}}]\n"
        )
        self._port = free_port()

    def __enter__(self) -> "Prometheus":
        program = subprocess.Popen(
            [
                PROGRAM or "",
                f"--config.file={self._folder}/prometheus.yml",
                f"--storage.tsdb.path={self._folder}/data",
                f"--web.listen-address=127.0.0.1:{self._port}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(program.wait)
        self._stack.callback(program.kill)
        try:
            wait_until(self._is_ready, "Prometheus is ready")
        except BaseException:
            self._stack.close()  # Python calls __exit__ only for a `with` that was entered.
            raise
        return self

    def __exit__(self, *fault: object) -> None:
        self._stack.close()

    def query(self, expr: str) -> list[dict[str, Any]]:
        """What it is now: a row for each set of labels. Raises HTTPError for a wrong expression."""
        found: list[dict[str, Any]] = self._ask("api/v1/query?" + urlencode({"query": expr}))["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """The names of the alerts that fire."""
        alerts = self._ask("api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def _is_ready(self) -> bool:
        # Until then its port is closed, and after that it answers 503.
        with contextlib.suppress(OSError):
            self._get("-/ready")
            return True
        return False

    def _ask(self, path: str) -> Any:
        return json.loads(self._get(path))

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/{path}", timeout=10) as reply:
            return bytes(reply.read())
