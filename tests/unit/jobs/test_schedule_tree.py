"""The jobs in the JSON of a schedule: each is found by its pointer, and each can be changed."""

import unittest
from typing import Any

from lib.jobs.schedule_tree import each_job, with_each_job, with_kept_urls, with_masks

JOB = {"type": "t", "payload": {}}
ODD: tuple[Any, ...] = (None, [], "x", 5)


class Trees(unittest.TestCase):
    def test_every_job_is_found_by_its_pointer(self) -> None:
        nested = {"jobs": {"c/d": JOB}, "after": ["a"]}
        flow = {"jobs": {"a": JOB, "p": nested}, "then": [JOB | {"then": [JOB]}]}

        self.assertEqual(["", "/then/0"], [at for at, _ in each_job(JOB | {"then": [JOB]})])
        self.assertEqual(
            ["/jobs/a", "/jobs/p/jobs/c~1d", "/then/0", "/then/0/then/0"], [at for at, _ in each_job(flow)]
        )

    def test_a_change_meets_each_job_without_its_then_and_leaves_the_rest(self) -> None:
        tree: dict[str, Any] = {"name": "w", "jobs": {"a": JOB}, "then": [JOB | {"then": [JOB]}]}

        changed = with_each_job(tree, lambda job, pointer: {"at": pointer, **job})

        first, second = {"at": "/then/0", **JOB}, {"at": "/then/0/then/0", **JOB}
        self.assertEqual(
            {"name": "w", "jobs": {"a": {"at": "/jobs/a", **JOB}}, "then": [first | {"then": [second]}]}, changed
        )
        self.assertNotIn("at", tree["jobs"]["a"])

    def test_values_of_no_right_type_stay_for_whoever_refuses_them(self) -> None:
        for value in ODD:
            self.assertEqual(value, with_each_job(value, lambda job, pointer: {}))
            self.assertEqual([], [*each_job(value)])
        self.assertEqual({"jobs": {"a": 5}}, with_each_job({"jobs": {"a": 5}}, lambda job, pointer: {}))
        self.assertEqual(JOB | {"then": 5}, with_each_job(JOB | {"then": 5}, lambda job, pointer: job))
        self.assertEqual(JOB, with_each_job(JOB | {"then": []}, lambda job, pointer: job))

    def test_secrets_are_masked_in_every_payload(self) -> None:
        secret, hidden = JOB | {"payload": {"api_key": "k"}}, JOB | {"payload": {"api_key": "********"}}

        self.assertEqual(
            {"jobs": {"a": hidden}, "then": [hidden]}, with_masks({"jobs": {"a": secret}, "then": [secret]})
        )
        self.assertIsNone(with_masks(None))

    def test_urls_that_are_called_back_are_masked_and_come_back_whole(self) -> None:
        def tree(**urls: str) -> dict[str, Any]:
            nested = {"jobs": {"c": JOB}, "callback_url": urls["nested"]}
            jobs = {"a": JOB | {"callback_url": urls["job"]}, "p": nested}
            then = [JOB | {"callback_url": urls["then"]}]
            return {"jobs": jobs, "then": then, "callback_url": urls["whole"]}

        whole = {name: f"https://a.example/{name}?key=hush" for name in ("nested", "job", "then", "whole")}
        kept = tree(**whole)

        shown = with_masks(kept)

        self.assertEqual(tree(**{name: url.replace("hush", "********") for name, url in whole.items()}), shown)
        self.assertEqual(kept, with_kept_urls(shown, kept))
        other = tree(**{**whole, "job": "https://b.example/?key=********"})
        self.assertEqual(other, with_kept_urls(other, kept))
        self.assertEqual(shown, with_kept_urls(shown, None))


if __name__ == "__main__":
    unittest.main()
