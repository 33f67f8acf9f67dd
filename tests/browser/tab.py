"""One tab of the browser of client.py: open, look, click, press keys, and wait for what comes."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.client import Chromium

DEADLINE_S = 20.0
KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Tab": ("Tab", 9, ""),
    "Escape": ("Escape", 27, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    " ": ("Space", 32, " "),
    "Delete": ("Delete", 46, ""),
}

AIM = """
  (one => {
    if (!one) return null;
    one.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});
    globalThis.aim?.abort();
    const aim = globalThis.aim = new AbortController();
    aim.isHit = null;
    const fits = hit => !!hit && (one.contains(hit) || hit.contains(one));
    const look = event => {
      aim.isHit ??= fits(event.target);
      if (!aim.isHit) event.preventDefault(), event.stopImmediatePropagation();
    };
    for (const kind of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"])
      addEventListener(kind, look, {capture: true, once: true, signal: aim.signal});
    const box = one.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    return [x, y, fits(document.elementFromPoint(x, y))];
  })(document.querySelector(%s))
"""
"""Where an element is: the middle of it, and whether it lies open there. If something else is there by the time that it
is pressed, that hears nothing of it, and aim.isHit is false."""


class BrowserError(Exception):
    """The browser refused a command, the page threw, or what a test waits for did not come."""


class Tab:
    """complaints: what a clean page never has, which are errors of the console, exceptions and breaches of its policy.
    requested: the address of each request. listeners: what is called with other events of the browser, by name."""

    def __init__(self, browser: "Chromium", session: str, context: str, target: str) -> None:
        self._browser, self._session = browser, session
        self.context, self.target = context, target
        self.complaints: list[str] = []
        self.requested: list[str] = []
        self.listeners: dict[str, Callable[[dict[str, Any]], None]] = {}

    def set_up(
        self,
        *,
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
        still: bool = True,
        timezone: str = "Europe/Berlin",
    ) -> None:
        """A width below 500 is a phone. still: the reader wants no motion."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width, height)
        self.paint(dark=dark, still=still)
        self.call("Emulation.setTimezoneOverride", timezoneId=timezone)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def paint(self, *, dark: bool, still: bool = True, forced: bool = False) -> None:
        """forced: in the few colours that a reader has chosen, as Windows' contrast themes do."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        if still:
            features.append({"name": "prefers-reduced-motion", "value": "reduce"})
        if forced:
            features.append({"name": "forced-colors", "value": "active"})
        self.call("Emulation.setEmulatedMedia", features=features)

    def call(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        return self._browser.call(method, self._session, **parameters)

    def take_in(self, method: str, about: dict[str, Any]) -> None:
        """An event of this tab."""
        if method in self.listeners:
            self.listeners[method](about)
        elif method == "Network.requestWillBeSent":
            self.requested.append(about["request"]["url"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(one.get("value", one.get("description"))) for one in about["args"]))
        elif method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            entry = about["entry"]
            self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")

    def open(self, url: str) -> None:
        """Go there; done when the document and its modules have loaded."""
        went = self.call("Page.navigate", url=url)
        if "errorText" in went:
            raise BrowserError(f"{url}: {went['errorText']}")
        self.until("document.readyState === 'complete'")

    def bring_to_front(self) -> None:
        self.call("Page.bringToFront")

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self.target)

    def js(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is awaited. Raises BrowserError where it throws."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            thrown = done["exceptionDetails"].get("exception", {})
            raise BrowserError(f"{expression[:200]}: {thrown.get('description', thrown.get('value'))}")
        return done["result"].get("value")

    def until(self, expression: str, within_s: float = DEADLINE_S) -> Any:
        """The first true value of an expression."""
        until_s = time.monotonic() + within_s
        while True:
            try:
                if value := self.js(expression):
                    return value
            except BrowserError as fault:  # The page is between two documents.
                if "context" not in str(fault).lower() and "navigat" not in str(fault).lower():
                    raise
            if time.monotonic() > until_s:
                said = self.js("document.body.innerText.slice(0, 1500)")
                raise BrowserError(
                    f"never came true: {expression[:300]}\n{self.complaints[-5:]}\n--- the page:\n{said}"
                )
            self._browser.pump(0.05)

    def wait_for(self, selector: str, text: str = "", within_s: float = DEADLINE_S) -> None:
        """Until there is such an element that is seen, with that text in it."""
        all_such = f"[...document.querySelectorAll({json.dumps(selector)})]"
        test = f"one => one.checkVisibility() && one.textContent.includes({json.dumps(text)})"
        self.until(f"{all_such}.some({test})", within_s)

    def text(self, selector: str) -> str:
        self.wait_for(selector)
        return str(self.js(f"document.querySelector({json.dumps(selector)}).textContent"))

    def count(self, selector: str) -> int:
        return int(self.js(f"document.querySelectorAll({json.dumps(selector)}).length"))

    def click(self, selector: str) -> None:
        """As a person does: in the middle of what is visible of it, and again if the page moves under the hand. Raises
        BrowserError where something lies over it."""
        until_s = time.monotonic() + DEADLINE_S
        while not self._clicked(selector):
            if time.monotonic() > until_s:
                raise BrowserError(f"{selector} does not hold still")

    def _clicked(self, selector: str) -> bool:
        """Whether the element itself was hit: it may have moved since it was looked at, or another taken its place."""
        self.wait_for(selector)
        if (place := self.js(AIM % json.dumps(selector))) is None:
            return False
        x, y, is_free = place
        if not is_free:
            raise BrowserError(f"{selector} is covered or off the screen at {x:.0f}, {y:.0f}")
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)
        try:
            return self.js("globalThis.aim?.isHit") is not False
        except BrowserError:
            return True  # It has led to another document.

    def press(self, key: str) -> None:
        """A key as a person presses it: `Enter`, `/`, `g`."""
        code, number, text = KEYS.get(key, (f"Key{key.upper()}" if key.isalpha() else "", ord(key.upper()[0]), key))
        about = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def focused(self) -> str:
        """The words of what has the focus."""
        return str(self.js("document.activeElement.textContent.trim()"))

    def tab_to(self, words: str) -> None:
        """Press Tab until the focus is at what has these words, and no others."""
        passed = []
        while self.focused() != words:
            passed.append(self.focused()[:20])
            if len(passed) > 60:
                raise BrowserError(f"Tab never came to {words!r}, but to {passed}")
            self.press("Tab")

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def settle(self, rest_ms: int = 30) -> None:
        """Until two frames have been painted, and rest_ms are over."""
        after = f"() => requestAnimationFrame(() => setTimeout(done, {rest_ms}))"
        self.js(f"new Promise(done => requestAnimationFrame({after}))")

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))
