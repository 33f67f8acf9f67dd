"""Requests of a tab that a test holds back, so that answers come in another order than they were asked for.

    with held(tab, "*/api/hosts*") as answers:
        answers.wait_for(2)
        answers.let_go(1)

Two answers have left the server, and the page lacks them; then it gets the second one first.
"""

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

from tests.browser.tab import DEADLINE_S, BrowserError, Tab


class Held:
    """What is held back. requests: each that has been, in all."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._waiting: list[str] = []
        self.requests: list[dict[str, Any]] = []

    def note(self, about: dict[str, Any]) -> None:
        self._waiting.append(about["requestId"])
        self.requests.append(about["request"])

    def wait_for(self, count: int = 1, within_s: float = DEADLINE_S) -> None:
        """Until so many have been held back in all."""
        until_s = time.monotonic() + within_s
        while len(self.requests) < count:
            self._tab.js("1")  # The events of the browser come with answers.
            if time.monotonic() > until_s:
                raise BrowserError(f"{len(self.requests)} were held back, not {count}")

    def let_go(self, at: int = 0, body: object = None) -> None:
        """Let one of those that still wait go on, with this body in the place of its own, if there is one. The page may
        have given it up meanwhile."""
        about = {} if body is None else {"postData": _base64(json.dumps(body))}
        with contextlib.suppress(BrowserError):
            self._tab.call("Fetch.continueRequest", requestId=self._waiting.pop(at), **about)

    def answer(self, text: str, status: int = 200, kind: str = "text/event-stream") -> None:
        """Answer the first of those that still wait, in the place of the server."""
        headers = [{"name": "Content-Type", "value": kind}]
        about = {"requestId": self._waiting.pop(0), "responseHeaders": headers, "body": _base64(text)}
        self._tab.call("Fetch.fulfillRequest", responseCode=status, **about)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@contextlib.contextmanager
def held(tab: Tab, *patterns: str, stage: str = "Response") -> Iterator[Held]:
    """Hold back what is asked of addresses like these, until the block is left: the answer, or, at the stage "Request",
    what the server is to be asked."""
    one = Held(tab)
    tab.listeners["Fetch.requestPaused"] = one.note
    tab.call("Fetch.enable", patterns=[{"urlPattern": text, "requestStage": stage} for text in patterns])
    try:
        yield one
    finally:
        tab.call("Fetch.disable")  # All that wait go on.
        del tab.listeners["Fetch.requestPaused"]
