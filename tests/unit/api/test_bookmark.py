"""A bookmark as text, and the same bookmark when its reader brings the text back."""

import unittest

from lib.api.bookmark import ID_CHARS, MOST_AHEAD, SKEW_MS, Bookmark, bookmark_from
from lib.queue.stream_position import StreamPosition

NOW_MS = 1_795_438_188_123


def ahead(count: int, name: str = "queue-{}") -> dict[str, StreamPosition]:
    return {name.format(number): StreamPosition(NOW_MS + 1, number) for number in range(count)}


class Text(unittest.TestCase):
    def test_queues_read_beyond_the_time_are_named(self) -> None:
        mark = Bookmark(
            NOW_MS,
            {
                "b": StreamPosition(NOW_MS + 1, 0),
                "a": StreamPosition(NOW_MS + 2, 3),
                "old": StreamPosition(NOW_MS - 1, 0),
            },
        )

        self.assertEqual(f"{NOW_MS};a={NOW_MS + 2}-3;b={NOW_MS + 1}-0", str(mark))

    def test_however_many_there_are_it_stays_short(self) -> None:
        long_name = "q" * 59 + "-{:04}"
        for places in (ahead(MOST_AHEAD), ahead(MOST_AHEAD + 1), ahead(20, long_name), ahead(10_000)):
            self.assertLessEqual(len(str(Bookmark(NOW_MS, places))), ID_CHARS)
        self.assertEqual(str(NOW_MS), str(Bookmark(NOW_MS, ahead(10_000))))

    def test_who_comes_back_with_the_time_alone_reads_no_queue_from_further_on(self) -> None:
        places = ahead(600)

        resumed = bookmark_from(str(Bookmark(NOW_MS, places)), places, NOW_MS)

        assert resumed is not None
        for name, place in places.items():
            self.assertLessEqual(resumed.place_in(name), place)

    def test_a_queue_that_is_read_on_is_told_by_its_new_place(self) -> None:
        mark = Bookmark(NOW_MS, {"a": StreamPosition(NOW_MS + 1, 0)})

        mark.advance("a", StreamPosition(NOW_MS + 5, 0))
        mark.advance("new", StreamPosition(NOW_MS + 6, 1))

        self.assertEqual(f"{NOW_MS};a={NOW_MS + 5}-0;new={NOW_MS + 6}-1", str(mark))

    def test_what_lies_behind_the_time_that_was_reached_is_named_no_more(self) -> None:
        mark = Bookmark(NOW_MS, {"a": StreamPosition(NOW_MS + 1, 0), "b": StreamPosition(NOW_MS + 9_000 + SKEW_MS, 0)})

        mark.reach([StreamPosition(NOW_MS + 9_000 + SKEW_MS, 0)])

        self.assertEqual(f"{NOW_MS + 9_000};b={NOW_MS + 9_000 + SKEW_MS}-0", str(mark))


if __name__ == "__main__":
    unittest.main()
