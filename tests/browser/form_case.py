"""For the tests of forms made of a schema: fields typed into, and the faults at them."""

import json
from typing import Any

from tests.browser.case import BrowserCase
from tests.browser.tab import Tab
from tests.waiting import wait_until


def field(name: str) -> str:
    return f'[data-field="{name}"] :is(input, select, textarea)'


class Form(BrowserCase):
    def set(self, tab: Tab, **texts: str) -> None:
        """Type each text into the field of that name, or choose it."""
        for name, text in texts.items():
            one = f"document.querySelector({json.dumps(field(name))})"
            tab.js(f"{one}.closest('details') && ({one}.closest('details').open = true)")
            if tab.js(f"{one}.tagName") == "SELECT":
                tab.js(f"{one}.value = {json.dumps(text)}, {one}.dispatchEvent(new Event('input', {{bubbles: true}}))")
            else:
                self.type_into(tab, field(name), text)

    def value(self, tab: Tab, name: str) -> str:
        return str(tab.js(f"document.querySelector({json.dumps(field(name))}).value"))

    def body(self, tab: Tab) -> str:
        """What the curl sends."""
        return tab.text(".curl").split("-d '", 1)[1].removesuffix("'").replace("'\\''", "'")

    def faulty(self, tab: Tab) -> dict[str, str]:
        """The faults that are seen at fields, by the fields' names."""
        rows = "[...document.querySelectorAll('.field')].filter(one => one.querySelector('.fault:not([hidden])'))"
        found: dict[str, str] = tab.js(
            f"Object.fromEntries({rows}.map(one => [one.dataset.field ?? '', one.querySelector('.fault').textContent]))"
        )
        return found

    def focused(self, tab: Tab) -> str:
        return str(tab.js("document.activeElement.closest('[data-field]')?.dataset.field"))

    def show(self, tab: Tab, label: str) -> None:
        tab.click(f".tabs button:nth-child({['Fields', 'JSON'].index(label) + 1})")

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.server.request("GET", f"/api/jobs/{job_id}")[1]
        return job

    def posted(self, tab: Tab) -> str:
        """Press the form's button. Returns the id of the job whose page then comes."""
        before = tab.js("location.hash")
        tab.click("form .main")
        tab.until(f"location.hash !== {json.dumps(before)} && !!document.querySelector('.verdict')")
        return str(tab.js("location.hash")).removeprefix("#/jobs/")

    def ended(self, job_id: str) -> dict[str, Any]:
        wait_until(lambda: self.job(job_id)["state"] == "completed", "the job has completed")
        return self.job(job_id)
