import unittest

from lib.jobs.end_webhook import JobEnd
from lib.queue.notice_text import (
    WORDS_AT_ONCE,
    WORDS_BYTES,
    Asked,
    Word,
    answers_of,
    asked_from,
    attach_text,
    by_queue,
    chunks_of,
    words_of,
    words_text,
)

A, B = b"a-01a2286458ac8000b2dc9d0eb6423aa4", b"b-01a2286458ac8000b2dc9d0eb6423aa5"


class Words(unittest.TestCase):
    def test_a_notice_is_a_word_for_each_follower(self) -> None:
        fields = [b"parent", A, b"outcome", b"c", b"followers", B + b"," + A, b"said", b'{"rows":5}']

        words = words_of(fields, b"1764410000123-7")

        ms = b"1764410000123"
        self.assertEqual([Word(B, A, b"c", b'{"rows":5}', ms), Word(A, A, b"c", b'{"rows":5}', ms)], words)
        self.assertEqual({"b": words[:1], "a": words[1:]}, by_queue(words))

    def test_an_end_that_is_told_to_a_url_goes_to_the_queue_of_webhooks(self) -> None:
        fields = [b"parent", A, b"outcome", b"c", b"followers", B + b",!callback", b"said", b'{"rows":5}']
        fields += [b"state", b"completed", b"finished", b"1764410000122", b"head", b'{"v":1']

        to_b, called = words_of(fields, b"1764410000123-7")

        end = JobEnd(A.decode(), "1764410000123-7", "completed", "1764410000122", '{"rows":5}', b'{"v":1')
        self.assertEqual((None, end), (to_b.end, called.end))
        self.assertEqual({"b": [to_b], "webhook": [called]}, by_queue([to_b, called]))

    def test_an_end_of_which_nothing_is_known_but_the_job_is_one_all_the_same(self) -> None:
        (called,) = words_of([b"parent", A, b"followers", b"!callback"], b"1-0")

        self.assertEqual(JobEnd(A.decode(), "1-0", "", "", "", b""), called.end)

    def test_an_entry_that_no_script_wrote_has_no_words(self) -> None:
        for fields in ([b"x", b"y"], [b"followers"], [b"followers", b",,"]):
            self.assertEqual([], words_of(fields, b"1-0"))

    def test_what_is_no_jobs_id_has_no_queue(self) -> None:
        self.assertEqual({}, by_queue([Word(b"\xff", A, b"c", b""), Word(b"", A, b"c", b"")]))

    def test_the_records_end_each_with_its_mark(self) -> None:
        self.assertEqual(
            b"%b\x1f%b\x1fd1764\x1fwhy\x1e%b\x1f%b\x1fg\x1f\x1e" % (A, B, B, A),
            words_text([Word(A, B, b"d", b"why", b"1764"), Word(B, A, b"g", b"")]),
        )

    def test_a_call_has_so_many_words_at_most(self) -> None:
        words = [Word(A, B, b"c", b"")] * (2 * WORDS_AT_ONCE + 1)

        self.assertEqual([WORDS_AT_ONCE, WORDS_AT_ONCE, 1], [len(chunk) for chunk in chunks_of(words)])
        self.assertEqual([], list(chunks_of([])))

    def test_a_call_has_so_many_bytes_at_most_but_always_one_word(self) -> None:
        large, small = Word(A, B, b"c", b"x" * WORDS_BYTES), Word(A, B, b"c", b"")

        self.assertEqual([[large], [small, small], [large]], list(chunks_of([large, small, small, large])))


class Questions(unittest.TestCase):
    def test_questions_and_orders_are_told_apart(self) -> None:
        flat = [b"1764", A, B, b"fetch", b"c", A, B, b"12/sum", b"k", A, B, b"7/part", b"r3"]

        question, to_cancel, to_retry = asked_from(flat)

        self.assertEqual([False, True, True], [one.is_order for one in (question, to_cancel, to_retry)])
        self.assertEqual([False, True, False], [one.is_to_cancel for one in (question, to_cancel, to_retry)])
        self.assertEqual([12, 7], [to_cancel.place, to_retry.place])
        self.assertEqual(A + b" r3", to_retry.order)
        with self.assertRaises(ValueError):
            asked_from(flat[:-1])

    def test_an_answer_is_a_word_unless_the_parent_lives(self) -> None:
        asked = [Asked(A, B, b"", b"c"), Asked(B, A, b"", b"e")]

        self.assertEqual(b"%b\x1f%b\x1fc\x1f\x1e%b\x1f%b\x1fe\x1f\x1e" % (B, A, A, B), attach_text(asked))
        self.assertEqual([Word(A, B, b"c", b"5\x1f6")], answers_of(asked, b"\x1ec\x1f5\x1f6\x1e\x1f"))
        for reply in (b"", b"\x1ec\x1f5", b"\x1ec\x1e\x1f"):
            with self.assertRaises(ValueError):
                answers_of(asked, reply)


if __name__ == "__main__":
    unittest.main()
