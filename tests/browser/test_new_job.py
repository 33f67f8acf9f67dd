"""#/jobs/new and #/jobs/<id>/edit: a form from each schema, numbers and secrets kept, faults at their fields; and the
first minute of somebody who opens an empty Waybill."""

import json
import subprocess
import unittest
from typing import ClassVar

from lib.handlers.email import Email
from lib.handlers.webhook import Webhook
from lib.jobs.payload_schema import payload_schema
from tests.browser.form_case import Form, field
from tests.jobs_for_tests import AllKinds

LARGE = 90071992547409931
KINDS = {
    Email: "to either, subject text, text text, html text, cc either, bcc either, from either, reply_to either,"
    " headers json, attachments json, on_uncertain choice",
    Webhook: "url text, method choice, headers json, body json, text text, secret text, signed choice, give_up_on json,"
    " completion choice, complete_within_s number",
    AllKinds: "month text, total number, kind choice, number number, draft choice, note text, body text, level choice,"
    " recipient either, labels json, cover json, pages json, api_key text, extra json",
}
REQUIRED = {"month": "2026-11", "total": 1.5, "kind": "pdf"}
NO_RAW_JSON = "delete JSON.rawJSON; delete JSON.isRawJSON;"


class NewJob(Form):
    def test_each_field_of_a_schema_has_its_kind(self) -> None:
        tab = self.opened()
        for kind, expected in KINDS.items():
            with self.subTest(kind.__name__):
                fields = f"fieldsOf({json.dumps(payload_schema(kind))}, {{}})"
                words = f"{fields}.map(one => one.name + ' ' + one.kind).join(', ')"
                found = tab.js(f"import('/dashboard/schema.js').then(({{fieldsOf}}) => {words})")

                self.assertEqual(expected, found)

    def test_what_is_typed_into_fields_is_posted_as_it_is_written(self) -> None:
        tab = self.opened("#/jobs/new?type=all_kinds")
        tab.wait_for("#job-about", "Takes a field of every kind.")
        tab.wait_for('[data-field="month"] .hint', "As 2026-11.")
        tab.wait_for('[data-field="month"] label', "required")
        self.assertIn("2 (default)", tab.js(f"document.querySelector({json.dumps(field('level'))}).textContent"))
        self.set(tab, month="2026-11", total="1.10", kind='"csv"', number=str(LARGE), draft="true", body="a\nb 'c'")
        self.set(tab, recipient='["ann", "bob"]', labels='["x"', extra='{"deep": 1.50}', tags="eu, o-17", delay_s="0")
        tab.click("form .main")
        self.assertEqual("labels", self.focused(tab))
        self.assertIn("Is no JSON", self.faulty(tab)["labels"])
        self.set(tab, labels='["x"]')
        self.fit(tab)

        body = self.body(tab)
        for text in ('"total": 1.10', f'"number": {LARGE}', '"extra": {"deep": 1.50}'):
            self.assertIn(text, body)
        self.assertEqual(json.loads(body)["payload"], self.job(self.pasted(tab)["id"])["payload"])
        job = self.ended(self.posted(tab))
        self.assertEqual(f"{LARGE} of 1.1, key of 0", job["result"])
        self.assertEqual((["eu", "o-17"], ["ann", "bob"]), (job["tags"], job["payload"]["recipient"]))
        self.assertEqual([], tab.complaints)

    def test_fields_become_json_and_json_fields_with_all_that_was_typed(self) -> None:
        tab = self.opened("#/jobs/new?type=all_kinds")
        tab.wait_for(field("month"))
        self.set(tab, month="[not JSON", total="1.10", number="ten", recipient="[urgent] ann")
        self.show(tab, "JSON")
        text = tab.js("document.getElementById('payload-json').value")
        self.assertIn('"total": 1.10', text)
        payload = json.loads(text)
        self.assertEqual(
            ("[not JSON", "ten", "[urgent] ann"), (payload["month"], payload["number"], payload["recipient"])
        )

        odd = '{"month": "", "total": 2.50, "kind": "odd", "note": null, "__proto__": 1, "recipient": "[1]"}'
        odd = odd.replace("null", 'null, "body": "a\\r\\nb"')
        self.type_into(tab, "#payload-json", odd[:-1])
        self.show(tab, "Fields")
        tab.wait_for(".fault", "Is no JSON")
        self.type_into(tab, "#payload-json", odd)
        self.show(tab, "Fields")
        tab.wait_for(field("month"))
        self.assertEqual(('"odd"', "1"), (self.value(tab, "kind"), self.value(tab, "__proto__")))
        sent = self.body(tab)
        self.assertEqual(json.loads(odd), json.loads(sent)["payload"])
        self.assertIn('"total": 2.50', sent)

        self.set(tab, recipient='["ann"]')
        self.show(tab, "JSON")
        self.assertEqual(["ann"], json.loads(tab.js("document.getElementById('payload-json').value"))["recipient"])

    def test_a_refusal_is_told_at_each_field_and_the_first_has_the_focus(self) -> None:
        tab = self.opened("#/jobs/new")
        tab.wait_for(field("to"))
        self.set(tab, subject="", max_attempts="many")
        tab.click("form .main")
        tab.wait_for("form [role=alert]", "request dash-")
        self.assertEqual({"subject", "max_attempts"}, set(self.faulty(tab)))
        self.assertIn("Is missing", self.faulty(tab)["subject"])
        self.assertEqual("subject", self.focused(tab))
        self.set(tab, subject="Hi", to="ann@example.com")
        self.assertEqual({"max_attempts"}, set(self.faulty(tab)))  # What is typed anew is not wrong any more.
        tab.js("for (const one of document.querySelectorAll('details')) one.open = false")
        tab.click("form .main")
        tab.until("document.activeElement.closest('[data-field=max_attempts]') !== null")

        self.set(tab, max_attempts="", to='["ann@example.com", "nobody"]')
        tab.click("form .main")
        tab.until("document.activeElement.closest('[data-field=to]') !== null")
        self.assertTrue(self.faulty(tab)["to"].startswith("Entry 2 "))
        tab.complaints = [one for one in tab.complaints if "422" not in one]
        self.fit(tab)

        self.show(tab, "JSON")
        tab.click("form .main")
        tab.wait_for(".fault", "/to/1 ")
        self.assertEqual("payload-json", tab.js("document.activeElement.id"))

    def test_a_type_that_takes_any_object_has_json_alone(self) -> None:
        tab = self.opened("#/jobs/new?type=echo")
        tab.wait_for("#payload-json")
        self.assertFalse(tab.js("document.querySelector('.tabs').checkVisibility()"))
        self.type_into(tab, "#payload-json", "[1]")
        tab.click("form .main")
        tab.wait_for(".fault", "Must be an object")
        self.type_into(tab, "#payload-json", f'{{"n": {LARGE}}}')

        self.assertEqual({"n": LARGE}, self.ended(self.posted(tab))["result"])

    def test_a_job_that_has_the_unique_key_is_shown_in_place_of_a_second_one(self) -> None:
        first = self.post("noop", {}, delay_s=3600, unique={"key": "once"})
        tab = self.opened("#/jobs/new?type=noop")
        tab.wait_for(field("text"))
        self.set(tab, unique="once")
        tab.click("form .main")

        tab.wait_for("form [role=alert]", f"this job has the unique key. {first}")

    def test_a_new_job_like_another_asks_for_its_secrets(self) -> None:
        payload = {**REQUIRED, "number": LARGE, "api_key": "secret-1", "extra": {"token": "t-1"}}
        old = self.post("all_kinds", payload, priority="high", tags=["eu"])
        self.ended(old)
        tab = self.opened(f"#/jobs/{old}")
        tab.wait_for("[data-act=edit]", "Edit as new")
        tab.press("e")
        tab.wait_for("main .soft", "Secrets are masked in it")
        self.assertEqual(
            (str(LARGE), '"high"', "eu"), tuple(self.value(tab, one) for one in ("number", "priority", "tags"))
        )
        tab.click("form .main")
        self.assertEqual({"api_key", "extra"}, set(self.faulty(tab)))
        self.assertIn("put the secret in", self.faulty(tab)["api_key"])
        self.assertEqual("api_key", self.focused(tab))
        self.fit(tab)

        self.set(tab, api_key="other-12", extra="")
        new = self.ended(self.posted(tab))
        self.assertNotEqual(old, new["id"])
        self.assertEqual(f"{LARGE} of 1.5, key of 8", new["result"])
        self.assertEqual(("high", ["eu"], "all_kinds"), (new["priority"], new["tags"], new["type"]))

    def waiting(self) -> str:
        return self.post("all_kinds", {**REQUIRED, "number": LARGE, "api_key": "secret-1"}, delay_s=3600)

    def test_a_job_that_waits_is_changed_and_keeps_its_secret(self) -> None:
        job_id = self.waiting()
        tab = self.opened(f"#/jobs/{job_id}")
        tab.wait_for("[data-act=edit]", "Edit")
        tab.press("e")
        tab.wait_for(".curl", "Nothing is changed yet.")
        self.set(tab, total="2.5")
        self.assertEqual({"payload"}, set(json.loads(self.body(tab))))
        self.assertEqual(2.5, self.pasted(tab)["payload"]["total"])
        self.set(tab, priority='"low"', tags="a b", run_at="")
        tab.wait_for(".curl", "/run_at This date is not complete")  # A part of it is deleted.
        for _ in range(6):
            tab.press("ArrowRight")
            tab.press("Delete")
        self.assertIsNone(json.loads(self.body(tab))["run_at"])
        self.fit(tab)

        self.assertEqual(job_id, self.posted(tab))
        job = self.ended(job_id)
        self.assertEqual(f"{LARGE} of 2.5, key of 8", job["result"])
        self.assertEqual(("low", ["a", "b"]), (job["priority"], job["tags"]))
        tab.js(f"location.hash = '#/jobs/{job_id}/edit'")
        tab.wait_for("h3", "The job is completed")

    def test_a_job_that_was_begun_meanwhile_is_edited_as_new_with_what_was_typed(self) -> None:
        job_id = self.waiting()
        tab = self.opened(f"#/jobs/{job_id}/edit")
        tab.wait_for(field("month"))
        self.set(tab, month="2027-01")
        self.server.request("POST", f"/api/jobs/{job_id}/cancel")
        tab.click("form .main")
        tab.wait_for("form [role=alert]", "(409, request dash-")
        tab.click("form .tiny[href]")
        tab.wait_for("main .soft", "A new job like")

        self.assertEqual("2027-01", self.value(tab, "month"))

    def test_an_old_browser_edits_no_payload_whose_digits_it_would_change(self) -> None:
        worn, whole = self.waiting(), self.post("all_kinds", {**REQUIRED, "number": 12}, delay_s=3600)
        tab = self.opened()
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=NO_RAW_JSON)
        tab.open(f"{self.server.url}/?old#/jobs/{worn}/edit")
        tab.wait_for("h3", "This browser is too old for this job")
        tab.js(f"location.hash = '#/jobs/{whole}/edit'")
        tab.wait_for(field("number"))
        self.set(tab, number=str(LARGE))
        self.assertIn(f'"number": {LARGE}', self.body(tab))
        self.show(tab, "JSON")
        self.show(tab, "Fields")

        tab.wait_for(".fault", "would change the digits")


class FirstMinute(Form):
    has_worker: ClassVar[bool] = False

    def test_who_has_no_workflow_is_shown_how_to_post_one(self) -> None:
        tab = self.opened("#/workflows")
        tab.wait_for("h3", "No workflow so far")
        self.assertIn("api/workflows", tab.text(".hollow pre"))
        self.fit(tab)

    def test_who_has_no_schedule_is_told_how_the_first_one_is_made(self) -> None:
        tab = self.opened("#/schedules")
        tab.wait_for("h3", "No schedule so far")
        tab.wait_for(".hollow .button", "Make the first one")
        self.fit(tab)

        subprocess.run(["sh", "-c", tab.text(".hollow pre")], capture_output=True, timeout=20, check=True)
        self.addCleanup(self.server.request, "DELETE", "/api/schedules/nightly")  # No job of it may ever be there.
        tab.press("f")
        tab.type("night")
        tab.wait_for(".schedules", "Every day at 03:00")
        self.assertEqual([], tab.complaints)

    def test_who_opens_an_empty_waybill_sees_a_job_run(self) -> None:
        tab = self.opened()
        tab.wait_for(".steps", "Start a worker")
        tab.wait_for(".steps code", "python worker.py")
        self.assertIn("api/jobs", tab.text(".steps .curl"))
        self.fit(tab)
        tab.click(".steps .button.main")
        tab.wait_for(field("to"))
        job_id = self.posted(tab)
        tab.wait_for(".verdict", "Nobody serves its queue. No worker lives; start worker.py")

        with self.new_worker() as worker:
            tab.wait_for(".verdict", "Completed on the first attempt")
            tab.wait_for(".halves", "Result")
            self.assertEqual(1, len(list(worker.outbox.glob("*"))))
            tab.js("location.hash = '#/'")
            tab.wait_for("main", "Throughput")
            tab.wait_for(".queues", "email")
        self.assertEqual("email", self.job(job_id)["type"])
        self.assertEqual([], tab.complaints)


if __name__ == "__main__":
    unittest.main()
