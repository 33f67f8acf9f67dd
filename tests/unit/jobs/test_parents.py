"""jobs/parents.py: what a handler gets of the jobs that its job has waited for."""

import unittest

from lib.jobs.edges import OUTCOMES
from lib.jobs.parents import Parent, Results, results_from

A, B, C = (f"default-{digit * 32}" for digit in "123")


def known(texts: dict[str, str]) -> Results:
    """texts: the edge of each parent, and behind \\x1f what the parent said."""
    edges = {job_id: text.partition("\x1f")[0] for job_id, text in texts.items()}
    return results_from(edges, {job_id: text.partition("\x1f")[2] for job_id, text in texts.items()})


class FromRedis(unittest.TestCase):
    def test_a_parent_has_its_name_its_outcome_and_what_it_returned(self) -> None:
        results = known({A: 'ccfetch\x1f{"rows":12}', B: 'ed\x1f{"type":"ValueError","message":"no"}'})

        self.assertEqual(
            [
                Parent(None, B, "failed", error={"type": "ValueError", "message": "no"}),
                Parent("fetch", A, "completed", {"rows": 12}),
            ],
            list(results),
        )

    def test_each_mark_is_an_outcome_and_one_that_was_not_told_is_none(self) -> None:
        for mark, outcome in {**OUTCOMES, ".": None}.items():
            self.assertEqual(outcome, known({A: f"e{mark}one\x1f"}).parent("one").outcome)

    def test_a_parent_that_returned_nothing_has_none(self) -> None:
        self.assertEqual([Parent(None, A, "completed")], list(known({A: "cc\x1f"})))

    def test_a_result_that_looks_like_an_error_is_a_result_and_none_of_a_failure_is_one(self) -> None:
        said = '{"type":"x","message":"y"}'

        completed, failed = (known({A: f"e{mark}\x1f{said}"}).parent(A) for mark in "cd")

        self.assertEqual((True, None), (completed.result is not None, completed.error))
        self.assertEqual((True, None), (failed.error is not None, failed.result))

    def test_counts_and_what_stands_between_a_workflow_and_its_jobs_are_no_parents(self) -> None:
        edges = {"#open": "0", "@bad": "1", A: "oo\x1f", B: "mc0/fetch\x1f", C: "nc1/sum\x1f", "c": "cc\x1f"}

        self.assertEqual([], list(known(edges)))

    def test_what_somebody_wrote_by_hand_breaks_nothing(self) -> None:
        results = known({A: "", B: "c", C: 'cc\x1f{"half'})

        self.assertEqual([(B, None, None), (C, "completed", None)], [(i, o, r) for _, i, o, r, _, _ in results])


class AsAHandlerReadsThem(unittest.TestCase):
    def test_a_result_is_found_by_the_parents_name_and_by_its_id(self) -> None:
        results = known({A: 'ccfetch\x1f{"rows":12}', B: "cc\x1f[1]"})

        self.assertEqual(({"rows": 12}, [1]), (results["fetch"], results[B]))
        self.assertEqual((2, True, False), (len(results), "fetch" in results, "other" in results))

    def test_an_unknown_name_is_told_with_the_known_ones(self) -> None:
        with self.assertRaisesRegex(KeyError, f"no job named 'fetsch'; known: {B}, fetch"):
            known({A: "ccfetch\x1f1", B: "cc\x1f2"})["fetsch"]
        with self.assertRaisesRegex(KeyError, "it has waited for none"):
            known({})["fetch"]

    def test_they_stand_by_name_and_then_by_the_time_of_their_ids(self) -> None:
        older, newer = "z-" + "1" * 32, "a-" + "2" * 32
        results = known({newer: "cc\x1f", A: "ccsum\x1f", older: "cc\x1f", B: "ccfetch\x1f"})

        self.assertEqual([older, newer, B, A], [one.job_id for one in results])

    def test_a_result_that_was_too_much_is_said_to_be_and_not_given_as_none(self) -> None:
        results = known({A: "ccfetch\x1f!"})

        self.assertEqual([Parent("fetch", A, "completed", is_truncated=True)], list(results))
        with self.assertRaisesRegex(ValueError, f"the result of fetch was too much .* the job {A} has it"):
            results["fetch"]


if __name__ == "__main__":
    unittest.main()
