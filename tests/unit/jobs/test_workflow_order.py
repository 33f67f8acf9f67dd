"""The order of a workflow's jobs, and the cycle that is told where there is no order."""

import unittest

from lib.jobs.workflow_order import Cycle, ordered


class Order(unittest.TestCase):
    def test_each_stands_behind_its_parents(self) -> None:
        self.assertEqual(
            ["fetch", "a", "b", "sum"], ordered({"sum": ["a", "b"], "a": ["fetch"], "b": ["fetch"], "fetch": []})
        )

    def test_what_has_no_parents_keeps_the_order_of_the_request(self) -> None:
        self.assertEqual(["z", "a", "m"], ordered({"z": [], "a": [], "m": []}))

    def test_nothing_has_an_order(self) -> None:
        self.assertEqual([], ordered({}))

    def test_a_long_chain_named_backwards_has_one(self) -> None:
        chain = {str(n): [str(n + 1)] for n in range(5000)} | {"5000": []}

        self.assertEqual([str(n) for n in range(5000, -1, -1)], ordered(chain))


class Cycles(unittest.TestCase):
    def told(self, **parents_of: list[str]) -> str:
        with self.assertRaises(Cycle) as caught:
            ordered(parents_of)
        return str(caught.exception)

    def test_two_that_wait_for_each_other_are_named(self) -> None:
        self.assertEqual("a waits for b waits for a", self.told(a=["b"], b=["a"]))

    def test_one_that_waits_for_itself_is_named(self) -> None:
        self.assertEqual("a waits for a", self.told(a=["a"], b=["a"]))

    def test_who_waits_for_a_cycle_is_no_part_of_it(self) -> None:
        told = self.told(outside=["a"], first=[], a=["first", "b"], b=["c"], c=["a"])

        self.assertEqual("a waits for b waits for c waits for a", told)

    def test_of_a_long_cycle_the_first_names_are_told(self) -> None:
        parents_of = {f"n{number}": [f"n{(number + 1) % 1000}"] for number in range(1000)}

        told = self.told(**parents_of)

        self.assertTrue(told.startswith("n0 waits for n1 waits for n2 "))
        self.assertTrue(told.endswith("n9 waits for … waits for n0"), told)


if __name__ == "__main__":
    unittest.main()
