"""Groups in paths, cursors and answers."""

import unittest

from lib.api.groups import _names, _present, cursor_of, place_in
from lib.errors import GroupNotFound, InvalidFields, QueueNotFound
from lib.jobs.group_strikes import GroupStrikes
from lib.jobs.start_limits import OwnLimits, Rate
from lib.queue.group_store import Group, _just_before

GROUP = Group("tenant-42", 3, 2, "rate", 1764410000123, 2, Rate(5, 1500), OwnLimits(2))


def path(queue: str, group: str) -> dict[str, str]:
    return {"queue": queue, "group": group}


class Names(unittest.TestCase):
    def test_a_name_is_decoded_once(self) -> None:
        for segment, name in (
            ("tenant-42", "tenant-42"),
            ("smtp.example.com%3A587", "smtp.example.com:587"),
            ("smtp.example.com:587", "smtp.example.com:587"),
            ("a%2Fb", "a/b"),
            ("ops%40example.com", "ops@example.com"),
        ):
            self.assertEqual(("email", name), _names(path("email", segment)))

    def test_what_can_be_no_name_is_not_found(self) -> None:
        for segment in ("a%252Fb", "a%20b", "a+b", "%FF", "%00", "x" * 129, "%C3%A9", "{group}"):
            with self.subTest(segment), self.assertRaises(GroupNotFound):
                _names(path("email", segment))
        with self.assertRaises(QueueNotFound):
            _names(path("NOBODY", "tenant-42"))


class Cursors(unittest.TestCase):
    def test_a_cursor_leads_back_to_its_name_whatever_bytes_that_has(self) -> None:
        for name in ("tenant-42", "a/b:c@d", b"by \xff hand".decode(errors="surrogateescape")):
            self.assertEqual(name, place_in(cursor_of(name)))
        self.assertEqual("", place_in(""))

    def test_a_text_that_no_page_gave_is_refused(self) -> None:
        for text in ("%", "é", "a", "====", "a b"):
            with self.subTest(text), self.assertRaises(InvalidFields) as refused:
                place_in(text)
            self.assertEqual("?cursor", refused.exception.errors[0].pointer)

    def test_no_name_of_a_group_lies_between_another_and_what_stands_before_it(self) -> None:
        names = sorted({"a", "b", "tenant-4", "tenant-41", "tenant-41z", "tenant-42", "tenant-420", "-", "z", "A/"})
        for at, name in enumerate(names):
            before = _just_before(name)
            self.assertEqual(names[at:], [other for other in names if other.encode() > before.encode()])


class Shown(unittest.TestCase):
    def test_a_group_with_its_limits(self) -> None:
        self.assertEqual(
            {
                "name": "tenant-42",
                "ready": 3,
                "running": 2,
                "limited_by": "rate",
                "until": "2025-11-29T09:53:20.123Z",
                "limits": {"concurrency": 2, "rate": {"limit": 5, "per_s": 1.5}},
                "own": True,
                "strikes": None,
            },
            _present(GROUP),
        )

    def test_its_strikes(self) -> None:
        strikes = GroupStrikes(3, 1764410000123, 1764410004123, "LinkLost: closed")

        self.assertEqual(
            {
                "count": 3,
                "last_at": "2025-11-29T09:53:20.123Z",
                "until": "2025-11-29T09:53:24.123Z",
                "error": "LinkLost: closed",
            },
            _present(GROUP._replace(strikes=strikes))["strikes"],
        )

    def test_nothing_is_shown_as_null(self) -> None:
        shown = _present(Group("a", 0, 0, None, None, None, None, None))

        self.assertEqual([None, None, {"concurrency": None, "rate": None}, False, None], [*shown.values()][3:])


if __name__ == "__main__":
    unittest.main()
