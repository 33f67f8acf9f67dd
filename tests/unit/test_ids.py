"""Ids: what they look like, that they ascend, and what is no id."""

import os
import re
import unittest
import uuid

from lib.ids import (
    JobIds,
    derived_id,
    derived_request_id,
    is_request_id,
    new_runner_id,
    queue_of,
    random_digits,
    request_mark,
    uuid4_of,
)


class JobId(unittest.TestCase):
    def test_it_names_its_queue_and_is_a_uuid_of_version_8(self) -> None:
        job_id = JobIds(lambda: 1_700_000_000_000).new("email-eu", "request")

        self.assertEqual("email-eu", queue_of(job_id))
        made = uuid.UUID(job_id[-32:])
        self.assertEqual((8, uuid.RFC_4122, 1_700_000_000_000), (made.version, made.variant, made.int >> 80))

    def test_it_ends_in_the_lower_half_of_the_crc32_of_its_request_whatever_was_asked_for_before(self) -> None:
        ids = JobIds()
        for request_id, crc in (("123456789", 0xCBF43926), ("123456789", 0xCBF43926), ("", 0), ("a", 0xE8B7BE43)):
            self.assertEqual(f"{crc & 0xFFFF:04x}", ids.new("q", request_id)[-4:], request_id)

    def test_46_of_its_bits_are_random(self) -> None:
        made = [int(JobIds(lambda: 5).new("q", "request")[-16:], 16) for _ in range(1000)]

        ones, zeros = 0, 0
        for bits in made:
            ones, zeros = ones | bits, zeros | ~bits
        self.assertEqual(1000, len(set(made)))
        self.assertEqual(((1 << 46) - 1) << 16, ones & zeros)

    def test_one_that_is_derived_has_its_anchors_time_and_its_requests_mark(self) -> None:
        anchor = JobIds().new("q", "request")

        made = [
            derived_id(queue, one, name, request_id)
            for queue, one, name, request_id in (
                ("other", anchor, "mail", "request"),
                ("other", anchor, "mail", "request"),
                ("other", anchor, "mails", "request"),
                ("other", JobIds().new("q", "request"), "mail", "request"),
            )
        ]

        self.assertEqual(made[0], made[1])
        self.assertEqual(3, len({job_id[:-4] for job_id in made}))
        digits = uuid.UUID(made[0][-32:])
        self.assertEqual((8, uuid.RFC_4122), (digits.version, digits.variant))
        self.assertEqual(("other", anchor[-32:-20]), (queue_of(made[0]), made[0][-32:-20]))
        self.assertEqual({request_mark("request")}, {job_id[-4:] for job_id in made})

    def test_ids_ascend_within_a_millisecond_and_when_the_clock_goes_back(self) -> None:
        times = [1000] * 5000 + [900] * 5000 + [2000] * 10
        ids = JobIds(iter(times).__next__)

        made = [ids.new("q", "request") for _ in times]

        self.assertEqual(sorted(made), made)
        self.assertEqual(len(made), len(set(made)))

    def test_what_is_no_id_names_no_queue(self) -> None:
        good = "0" * 32
        for text in (
            "",
            good,
            f"-{good}",
            f"Q-{good}",
            f"q-{good}\n",
            f"q-{good[:-1]}",
            f"q-{good}0",
            f"q-{'F' * 32}",
            f"{'q' * 65}-{good}",
            f"ä-{good}",
            f"q {good}",
            f"_q-{good}",
        ):
            self.assertIsNone(queue_of(text), text)
        self.assertEqual("a-0", queue_of(f"a-0-{good}"))
        self.assertEqual("q" * 64, queue_of(f"{'q' * 64}-{good}"))


class RequestId(unittest.TestCase):
    def test_the_callers_is_taken_where_it_is_fit_for_a_log_line(self) -> None:
        for text in ("a", "A.b_c-9", "x" * 128):
            self.assertTrue(is_request_id(text), text)

    def test_and_else_it_is_not(self) -> None:
        for text in ("", "x" * 129, "a b", "a\nb", "ä", 'a"b', "a\n"):
            self.assertFalse(is_request_id(text), text)

    def test_any_digits_make_a_uuid4(self) -> None:
        for digit in "0123456789abcdef":
            made = uuid.UUID(uuid4_of(digit * 32))
            self.assertEqual((4, uuid.RFC_4122, digit), (made.version, made.variant, made.hex[0]))

    def test_random_digits_are_asked_for_many_at_once_and_used_once(self) -> None:
        asked: list[int] = []

        def random_bytes(count: int) -> bytes:
            asked.append(count)
            return bytes(at % 256 for at in range(count))

        digits = random_digits(8, random_bytes)

        self.assertEqual(["00010203", "04050607"], [next(digits), next(digits)])
        self.assertEqual(1, len(asked))

    def test_new_ones_are_uuid4_and_differ(self) -> None:
        made = {uuid4_of(os.urandom(16).hex()) for _ in range(1000)}

        self.assertEqual(1000, len(made))
        for text in made:
            self.assertEqual(
                (4, uuid.RFC_4122, text), (uuid.UUID(text).version, uuid.UUID(text).variant, str(uuid.UUID(text)))
            )


class OfASlot(unittest.TestCase):
    def test_the_request_id_of_a_slot_is_a_uuid_of_version_8_that_begins_with_its_time(self) -> None:
        made = uuid.UUID(derived_request_id("daily", 7, 0x019B2F0E1A2C))

        self.assertEqual((8, uuid.RFC_4122), (made.version, made.variant))
        self.assertTrue(str(made).startswith("019b2f0e-1a2c-8"))

    def test_it_is_the_same_for_one_slot_and_another_for_every_other(self) -> None:
        asked = [("daily", 7, 5), ("daily", 8, 5), ("dail", 7, 5), ("daily", 7, 6), ("daily", 7, 5)]

        self.assertEqual(4, len({derived_request_id(*one) for one in asked}))


class WorkerId(unittest.TestCase):
    def test_it_is_readable_and_never_the_same_twice(self) -> None:
        made = {new_runner_id("Host_1.Example.ORG", 42) for _ in range(100)}

        self.assertEqual(100, len(made))
        for runner_id in made:
            self.assertRegex(runner_id, r"\Ahost-1\.example\.org\.42\.[0-9a-f]{8}\Z")

    def test_a_runner_that_is_alone_is_known_by_its_end(self) -> None:
        self.assertTrue(new_runner_id("h", 1, is_alone=True).endswith(".alone"))

    def test_no_host_name_breaks_it(self) -> None:
        for host in ("", "ä" * 100, "a,b{c}:d\n", "." * 5):
            self.assertTrue(re.fullmatch(r"[a-z0-9.-]+", new_runner_id(host, 1)), host)


if __name__ == "__main__":
    unittest.main()
