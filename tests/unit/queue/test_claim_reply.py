"""lib/queue/claim_reply.py: what claim.lua answers, read field by field."""

import unittest

from lib.jobs.job import ClaimedJob
from lib.queue.claim_reply import Claim, claim_from

NOW_MS = 1764410000123


def reply(head: str, *jobs: str) -> list[bytes]:
    """| stands for the field separator."""
    return ["\x1e".join((head, *jobs)).replace("|", "\x1f").encode(), *[b"{}"] * len(jobs)]


class Reply(unittest.TestCase):
    def test_jobs_are_read_with_what_only_some_of_them_have(self) -> None:
        claim = claim_from(
            reply(f"|{NOW_MS}|250|{NOW_MS - 9},x|", "q-1|7|2|1764400000000", 'q-2|1|1||{"row":5}|1764413600000')
        )

        self.assertEqual(
            Claim(
                jobs=[
                    ClaimedJob(
                        job_id="q-1",
                        token=7,
                        attempt=2,
                        unknown_since_ms=1764400000000,
                        now_ms=NOW_MS,
                        spec_text=b"{}",
                        ready_ms=NOW_MS - 9,
                    ),
                    ClaimedJob(
                        job_id="q-2",
                        token=1,
                        attempt=1,
                        unknown_since_ms=None,
                        now_ms=NOW_MS,
                        spec_text=b"{}",
                        ready_ms=NOW_MS,
                        checkpoint=b'{"row":5}',
                        gives_up_ms=1764413600000,
                    ),
                ],
                is_more=False,
                ask_again_s=0.25,
            ),
            claim,
        )

    def test_a_claim_that_brings_no_job_says_why(self) -> None:
        for state, expected in (
            ("", Claim([], False, None)),
            ("more", Claim([], True, None)),
            ("paused", Claim([], False, None, is_paused=True)),
            ("empty", Claim([], False, None, is_empty=True)),
            ("limited", Claim([], False, None, is_limited=True)),
        ):
            self.assertEqual(expected, claim_from(reply(f"{state}|{NOW_MS}|||")))

    def test_jobs_that_it_made_dead_are_named(self) -> None:
        self.assertEqual(("q-1", "q-2"), claim_from(reply(f"|{NOW_MS}|||q-1,q-2")).dead_ids)

    def test_one_that_is_made_without_the_constructor_has_every_field(self) -> None:
        (job,) = claim_from(reply(f"|{NOW_MS}||{NOW_MS}|", "q-1|1|1|")).jobs

        self.assertIs(ClaimedJob, type(job))
        self.assertEqual(len(ClaimedJob._fields), len(job))

    def test_what_is_no_reply_is_an_error(self) -> None:
        for broken in (reply(""), reply("|x|||"), reply(f"|{NOW_MS}||{NOW_MS}|", "q-1|1")):
            with self.assertRaises(ValueError):
                claim_from(broken)


if __name__ == "__main__":
    unittest.main()
