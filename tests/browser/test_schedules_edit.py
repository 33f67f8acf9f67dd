"""The editor's payload: fields of the type's schema, numbers and secrets kept, and what was typed kept as well."""

import unittest
from typing import Any

from tests.browser.case import AUDIT
from tests.browser.form_case import Form, field
from tests.browser.tab import Tab
from tests.waiting import wait_until

LARGE = 90071992547409931


class Payload(Form):
    def put(self, name: str, type: str, payload: Any) -> None:
        body = {"every_s": 3600, "job": {"type": type, "payload": payload}}
        self.assertIn(self.server.request("PUT", f"/api/schedules/{name}", body)[0], (200, 201))

    def read(self, name: str) -> dict[str, Any]:
        return dict(self.server.request("GET", f"/api/schedules/{name}")[1])

    def opened_new(self, name: str, type: str) -> Tab:
        tab = self.opened("#/schedules/+new")
        tab.wait_for("#s-name")
        self.type_into(tab, "#s-name", name)
        self.choose(tab, type)
        return tab

    def choose(self, tab: Tab, type: str) -> None:
        one = "document.getElementById('s-type')"
        tab.wait_for("#s-type")
        tab.js(f"{one}.value = {type!r}, {one}.dispatchEvent(new Event('change'))")

    def saved(self, tab: Tab) -> None:
        tab.click("form .main")
        tab.wait_for(".verdict", "Runs in ")

    def test_what_is_typed_into_fields_is_saved_as_it_is_written_and_faults_stand_at_them(self) -> None:
        tab = self.opened_new("report", "all_kinds")
        tab.wait_for('[data-field="month"] label', "required")
        tab.wait_for("#s-type-hint", "Takes a field of every kind.")
        self.set(tab, total="1.10", number=str(LARGE), labels='["x"', kind='"csv"')
        tab.click("form .main")
        self.assertEqual("labels", self.focused(tab))
        self.assertIn("Is no JSON", self.faulty(tab)["labels"])
        self.set(tab, labels='["x", 5]')
        tab.click("form .main")
        tab.wait_for("[role=alert]", "request dash-")
        faults = {"month": "Is missing", "labels": "Entry 2 must be a string, not an integer"}
        self.assertEqual(faults, self.faulty(tab))
        self.assertEqual("month", self.focused(tab))
        self.assertEqual({"contrast": [], "names": [], "overflow": [], "targets": []}, tab.js(AUDIT))

        self.set(tab, month="2026-11", labels='["x"]')
        tab.click("form > .acts .button:last-child")
        tab.wait_for("dialog .curl", '"total":1.10')
        made = self.pasted(tab)
        self.assertEqual(
            (LARGE, 1.1, ["x"]), tuple(made["job"]["payload"][one] for one in ("number", "total", "labels"))
        )
        self.server.request("DELETE", "/api/schedules/report")
        tab.press("Escape")
        self.saved(tab)
        self.assertEqual(made["job"]["payload"], self.read("report")["job"]["payload"])
        tab.wait_for(".json", str(LARGE))

    def test_all_that_is_wrong_is_said_at_once_and_what_the_preview_has_said_stays(self) -> None:
        tab = self.opened_new("Nightly Clean", "echo")
        self.type_into(tab, "#s-when", "30 2 * *")
        self.type_into(tab, "#s-zone", "Berlin")
        tab.wait_for("#s-when-wrong", "has 4 fields")
        tab.wait_for("#s-zone-wrong", "no zone")
        self.type_into(tab, "#s-payload-json", '{"days": 30,}')
        tab.click("form .main")
        tab.wait_for("#s-payload-json-fault", "Is no JSON")
        tab.wait_for("#s-name-wrong", "takes a-z, 0-9, dot, _ and -.")
        tab.wait_for("#s-when-wrong", "has 4 fields")
        tab.wait_for("#s-zone-wrong", "no zone")
        tab.complaints = [one for one in tab.complaints if "422" not in one]
        self.fit(tab)
        self.assertEqual("s-name", tab.js("document.activeElement.id"))
        name, bar = "document.activeElement", "document.querySelector('.top')"  # The bar does not lie over it.
        self.assertTrue(tab.js(f"{name}.getBoundingClientRect().top >= {bar}.getBoundingClientRect().bottom"))

        self.type_into(tab, "#s-name", "nightly-clean")
        self.type_into(tab, "#s-when", "30 2 * * *")
        self.type_into(tab, "#s-zone", "Europe/Berlin")
        self.type_into(tab, "#s-payload-json", '{"days": 30}')
        self.saved(tab)

    def test_another_type_has_its_own_sample_and_keeps_what_somebody_has_typed(self) -> None:
        tab = self.opened_new("kept", "email")
        self.assertEqual("you@example.com", self.value(tab, "to"))
        self.choose(tab, "all_kinds")
        tab.wait_for(field("month"))
        self.assertEqual(0, tab.count(field("to")))
        self.choose(tab, "email")
        self.assertEqual("you@example.com", self.value(tab, "to"))

        self.set(tab, subject="My own", attachments="[1.50, not JSON")
        self.choose(tab, "all_kinds")
        tab.wait_for(field("month"))
        self.assertEqual(
            ('"My own"', '"[1.50, not JSON"'), (self.value(tab, "subject"), self.value(tab, "attachments"))
        )
        self.show(tab, "JSON")
        self.type_into(tab, "#s-payload-json", '{"total": 2.50, "subject"')
        self.choose(tab, "echo")
        self.choose(tab, "all_kinds")
        tab.wait_for("#s-payload-json")
        self.assertEqual('{"total": 2.50, "subject"', tab.js("document.getElementById('s-payload-json').value"))
        self.show(tab, "Fields")
        tab.wait_for(".fault", "Is no JSON")
        self.type_into(tab, "#s-payload-json", '{"total": 2.50}')
        self.show(tab, "Fields")
        tab.wait_for(field("month"))
        self.assertEqual("2.50", self.value(tab, "total"))

    def test_a_secret_stays_and_its_mask_is_never_saved_in_its_place(self) -> None:
        self.put("sealed", "keeps_a_secret", {"api_key": "hush", "n": 1})
        tab = self.opened("#/schedules/sealed/edit")
        tab.wait_for("main .head .soft", "Secrets that are masked stay as they are.")
        tab.wait_for(field("api_key"))
        self.assertEqual("********", self.value(tab, "api_key"))
        self.set(tab, n="2")
        self.saved(tab)
        run = self.server.request("POST", "/api/schedules/sealed/run")[1]["id"]
        self.assertEqual("hush 2", self.ended(run)["result"])

        tab.js("location.hash = '#/schedules/sealed/edit'")
        tab.wait_for(field("n"))
        self.set(tab, api_key="anew")
        self.saved(tab)
        run = self.server.request("POST", "/api/schedules/sealed/run")[1]["id"]
        self.assertEqual("anew 2", self.ended(run)["result"])

    def test_a_mask_that_was_carried_elsewhere_is_told_at_its_field(self) -> None:
        self.put("moved", "echo", {"api_key": "hush", "note": "none"})
        tab = self.opened("#/schedules/moved/edit")
        tab.wait_for("#s-payload-json")
        self.type_into(tab, "#s-payload-json", '{"api_key": "********", "note": "********"}')
        tab.click("form .main")
        tab.wait_for(".fault", "/note is masked: put the secret in, or take the field out")
        self.assertNotIn("/api_key", tab.text("#s-payload-json-fault"))
        self.assertEqual("none", self.read("moved")["job"]["payload"]["note"])

        # Nobody has the secret any more.
        self.type_into(tab, "#s-payload-json", '{"api_key": "********", "note": "some"}')
        self.server.request("DELETE", "/api/schedules/moved")
        tab.click("form .main")
        tab.click(".told .button")
        tab.wait_for(".fault", "/api_key is masked")
        self.type_into(tab, "#s-payload-json", '{"api_key": "new", "note": "some"}')
        self.saved(tab)
        wait_until(lambda: self.read("moved")["job"]["payload"]["note"] == "some", "it is saved")


if __name__ == "__main__":
    unittest.main()
