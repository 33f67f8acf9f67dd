"""What handlers say: kept while they run, and with their end, each word once and in order."""

import unittest
from typing import Any

from lib.errors import JobNotFound, RedisUnavailable
from lib.queue.end_record import release_record
from lib.queue.notes import Notes
from lib.redis_link.resp import Argument
from tests.redis.case import LosesReplies, RedisCase, ending, until

SCRIPTS = ("finish", "fail", "snooze", "release")


class MayBeCut(LosesReplies):
    """A link that is cut while `is_cut`: nothing is sent."""

    is_cut = False

    async def call(self, *command: Argument) -> Any:
        if self.is_cut:
            raise RedisUnavailable("it was cut off")
        return await super().call(*command)


class NotesCase(RedisCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        await self.begin()

    async def begin(self, runner_link: LosesReplies | None = None) -> None:
        """A job that runs, and has said nothing."""
        self.runner = await self.lease(link=runner_link)
        self.job_id = await self.enqueue()
        self.taken = await self.claimed(self.runner)
        self.notes = Notes(self.job_id, self.taken.token)

    def add(self, *lines: str) -> None:
        for line in lines:
            self.notes.add_line(line)

    async def say(self, *lines: str) -> None:
        """Say them one by one, and wait until Redis has them."""
        for line in lines:
            self.add(line)
            self.runner.note(self.notes)
        await self.runner.wait_until_idle()

    async def lines(self) -> list[str]:
        return [line.text for line in await self.job_store.log_of(self.job_id)]

    async def fresh(self, link: LosesReplies | None = None) -> None:
        self.client.flushall()
        self.job_store.forget_names()
        self.losing = link or LosesReplies(self.link)
        await self.begin(self.losing)

    async def end(self, script: str) -> bool:
        """As a lane ends it: with what the job said last."""
        return await self.runner.end_and_wait(script, ending(script, self.taken).with_notes(self.notes.end()))


class WhileItRuns(NotesCase):
    async def test_lines_and_progress_are_kept_with_the_job(self) -> None:
        await self.say("one", "two\x1e\x1f\n三")
        self.notes.set_progress(0.25, "a quarter")
        self.runner.note(self.notes)
        await self.runner.wait_until_idle()

        self.assertEqual(["one", "two   三"], await self.lines())
        self.assertEqual({"fraction": 0.25, "note": "a quarter"}, (await self.record(self.job_id)).progress)

    async def test_the_last_two_hundred_lines_are_kept(self) -> None:
        await self.say(*[f"line {number}" for number in range(250)])

        self.assertEqual([f"line {number}" for number in range(50, 250)], await self.lines())

    async def test_one_that_no_longer_owns_the_job_is_not_heard(self) -> None:
        self.notes.token += 1
        await self.say("stale")
        self.notes.token -= 1
        await self.crash("w")
        await self.say("reaped")

        self.assertEqual([], await self.lines())

    async def test_a_line_that_is_no_utf8_does_not_silence_the_others(self) -> None:
        await self.say("one", "lone \udc80", "two")

        self.assertEqual(["one", "lone ?", "two"], await self.lines())

    async def test_a_job_that_is_not_there_has_no_log(self) -> None:
        with self.assertRaises(JobNotFound):
            await self.job_store.log_of("q-" + "0" * 32)

    async def test_what_redis_could_not_be_told_comes_with_the_next_word(self) -> None:
        self.add("one")
        text, _ = self.notes.unsent()  # On its way, and never answered.
        await self.say("two")

        self.assertRegex(text, r"\A0\x1dl\d+ one\Z")
        self.assertEqual(["one", "two"], await self.lines())

    async def test_a_line_has_its_number_and_time_and_the_attempt_that_logged_it(self) -> None:
        begun_ms = await self.now_ms()
        await self.say("one", "two")
        await self.runner.end_and_wait("fail", ending("fail", self.taken, delay_s=0))
        self.taken = await self.claimed(self.runner)
        self.notes = Notes(self.job_id, self.taken.token, clock=lambda: self.clock_s)
        self.clock_s = 1000.0
        self.add("three")
        self.clock_s += 3600  # The attempt's end comes to Redis an hour after it has said this.
        await self.end("finish")

        lines = await self.job_store.log_of(self.job_id)

        self.assertEqual([(1, 1, "one"), (2, 1, "two"), (3, 2, "three")], [(n, a, text) for n, _, a, text in lines])
        ages_s = [round((await self.now_ms() - (line.at_ms or 0)) / 1000) for line in lines]
        self.assertGreaterEqual(lines[0].at_ms or 0, begun_ms - 1)
        self.assertEqual([0, 3600], [ages_s[0] // 60, ages_s[2] // 60 * 60])

    async def test_beyond_two_hundred_lines_the_numbers_go_on(self) -> None:
        await self.say(*[f"line {number}" for number in range(1, 251)])

        lines = await self.job_store.log_of(self.job_id)

        self.assertEqual([(number, f"line {number}") for number in range(51, 251)], [(one[0], one[3]) for one in lines])

    async def test_lines_of_an_older_version_have_neither_time_nor_attempt(self) -> None:
        self.client.rpush(f"{self.base}log:{self.job_id}", "old", "older")
        await self.say("new")
        self.client.rpush(f"{self.base}log:{self.job_id}", "by an old worker")

        lines = await self.job_store.log_of(self.job_id)

        told = [(line.number, line.at_ms is None, line.attempt, line.text) for line in lines]
        self.assertEqual([(1, True, None, "old"), (2, True, None, "older"), (3, False, 1, "new")], told[:3])
        self.assertEqual([(4, True, None, "by an old worker")], told[3:])

    async def test_the_next_attempt_counts_its_lines_anew(self) -> None:
        await self.say("one", "two")
        await self.end("release")
        self.taken = await self.claimed(self.runner)
        self.notes = Notes(self.job_id, self.taken.token)
        await self.say("three")

        self.assertEqual(["one", "two", "three"], await self.lines())

    async def test_a_word_of_a_kind_that_a_later_version_knows_is_passed_over(self) -> None:
        text = "\x1d".join(("0", "l0 one", 'z{"row": 5}', "l0 two"))

        await self.runner.end_and_wait("release", release_record(self.job_id, self.taken.token).with_notes(text))

        self.assertEqual((["one", "two"], None), (await self.lines(), (await self.record(self.job_id)).progress))


class WithTheEnd(NotesCase):
    async def test_what_was_said_last_is_kept_with_each_end(self) -> None:
        for script in SCRIPTS:
            await self.fresh()
            await self.say("one")
            self.add("two", "three")
            self.notes.set_progress(0.5, "half")

            self.assertTrue(await self.end(script))

            self.assertEqual(["one", "two", "three"], await self.lines(), script)
            self.assertEqual({"fraction": 0.5, "note": "half"}, (await self.record(self.job_id)).progress)

    async def test_what_is_on_its_way_when_it_ends_is_kept_once(self) -> None:
        for script in SCRIPTS:
            await self.fresh()
            self.add("one", "two")
            self.runner.note(self.notes)
            await self.runner._scripts.call("note", self.base, "w", self.record_of_notes())
            self.add("three")

            self.assertTrue(await self.end(script))
            await self.runner.wait_until_idle()

            self.assertEqual(["one", "two", "three"], await self.lines(), script)

    async def test_an_end_whose_reply_was_lost_says_its_words_once(self) -> None:
        for script in SCRIPTS:
            await self.fresh(LosesReplies(self.link))
            self.losing.lose = 2
            self.add("one")

            self.assertTrue(await self.end(script))

            self.assertEqual(["one"], await self.lines(), script)

    async def test_an_end_that_is_not_ours_says_nothing(self) -> None:
        for script in SCRIPTS:
            await self.fresh()
            self.add("one")
            self.notes.set_progress(0.5, "half")
            await self.crash("w")

            self.assertFalse(await self.end(script))

            self.assertEqual(([], None), (await self.lines(), (await self.record(self.job_id)).progress), script)

    async def test_one_that_was_asked_to_stop_says_its_words_too(self) -> None:
        for script in ("fail", "snooze", "release"):
            await self.fresh()
            await self.job_store.cancel(self.job_id)
            self.add("one")

            await self.end(script)

            self.assertEqual(("cancelled", ["one"]), (await self.state(self.job_id), await self.lines()), script)

    async def test_a_result_beside_last_words_comes_back_as_it_was(self) -> None:
        self.add("one")

        await self.end("finish")

        self.assertEqual("result", (await self.record(self.job_id)).result)

    async def test_a_log_that_somebody_broke_costs_the_lines_and_not_the_end(self) -> None:
        for script in SCRIPTS:
            await self.fresh()
            self.client.set(f"{self.base}log:{self.job_id}", "x")
            self.add("one")

            self.assertTrue(await self.end(script))

        self.client.flushall()

    async def test_who_said_nothing_leaves_nothing(self) -> None:
        await self.end("finish")

        self.assertEqual([], [key for key in self.key_names() if b":log:" in key])
        self.assertNotIn(b"noted", self.client.hkeys(f"{self.base}job:{self.job_id}"))

    def record_of_notes(self) -> str:
        """What a `note` call sends of them."""
        return f"{self.job_id}\x1f{self.taken.token}\x1f\x1f{self.notes.unsent()[0]}\x1e"


class Checkpoints(NotesCase):
    """What an attempt leaves for the next one."""

    async def left(self) -> str:
        """What the next attempt is handed."""
        self.taken = await self.claimed(self.runner)
        self.notes = Notes(self.job_id, self.taken.token)
        return self.taken.checkpoint.decode()

    async def shown(self) -> Any:
        return (await self.record(self.job_id)).checkpoint

    async def come_back(self, script: str) -> None:
        """End the attempt so that the job is to be tried again, and let its time come."""
        await self.end(script)
        if script != "release":
            await self.make_due(self.job_id)

    async def test_the_last_one_rides_with_the_end_and_is_handed_to_the_next_attempt(self) -> None:
        for script in ("fail", "snooze", "release"):
            await self.fresh()
            self.notes.set_checkpoint('{"row":1}')
            self.runner.note(self.notes)  # On its way: the next word overtakes it.
            self.notes.set_checkpoint('{"row":2}')

            await self.come_back(script)

            self.assertEqual(({"row": 2}, '{"row":2}'), (await self.shown(), await self.left()), script)

    async def test_a_crash_leaves_what_redis_had_been_told(self) -> None:
        self.notes.set_checkpoint('{"row":1}')
        self.runner.note(self.notes)
        await self.runner.wait_until_idle()
        self.notes.set_checkpoint('{"row":2}')
        await self.crash("w")
        self.runner = await self.lease("v")

        self.assertEqual('{"row":1}', await self.left())

    async def test_one_that_redis_was_not_there_for_comes_when_it_is_back(self) -> None:
        link = MayBeCut(self.link)
        await self.fresh(link)
        link.is_cut = True
        self.notes.set_checkpoint("[1]")
        self.runner.note(self.notes)
        await self.runner.wait_until_idle()
        self.assertIsNone(await self.shown())

        link.is_cut = False

        await until(self.shown, "the checkpoint is there")
        self.assertEqual([1], await self.shown())

    async def test_an_attempt_that_makes_none_leaves_the_one_before(self) -> None:
        self.notes.set_checkpoint("[1]")
        await self.come_back("fail")
        await self.left()

        await self.come_back("snooze")

        self.assertEqual("[1]", await self.left())

    async def test_one_may_be_taken_back(self) -> None:
        self.notes.set_checkpoint("[1]")
        await self.come_back("fail")
        await self.left()
        self.notes.set_checkpoint("")

        await self.come_back("fail")

        self.assertEqual((None, ""), (await self.shown(), await self.left()))

    async def test_one_that_was_taken_for_dead_leaves_none(self) -> None:
        self.notes.set_checkpoint("[1]")
        await self.crash("w")

        await self.end("fail")

        self.assertIsNone(await self.shown())

    async def test_a_job_that_completes_keeps_none(self) -> None:
        self.notes.set_checkpoint("[1]")
        self.runner.note(self.notes)
        await self.runner.wait_until_idle()

        await self.runner.end_and_wait("finish", ending("finish", self.taken).with_notes(self.notes.end(is_done=True)))

        record = await self.record(self.job_id)
        self.assertEqual((None, None), (record.checkpoint, record.checkpointed_ms))

    async def test_a_retry_by_hand_goes_on_from_it_unless_it_is_to_begin_anew(self) -> None:
        for from_start, wanted in ((False, "[1]"), (True, "")):
            await self.fresh()
            self.notes.set_checkpoint("[1]")
            await self.runner.end_and_wait(
                "fail", ending("fail", self.taken, delay_s=None).with_notes(self.notes.end())
            )

            await self.job_store.retry(self.job_id, from_start=from_start)

            self.assertEqual(wanted, await self.left())

    async def test_a_job_that_was_cancelled_goes_on_from_it_when_it_is_retried(self) -> None:
        self.notes.set_checkpoint("[1]")
        await self.end("release")
        await self.job_store.cancel(self.job_id)

        await self.job_store.retry(self.job_id)

        self.assertEqual("[1]", await self.left())

    async def test_the_same_one_again_keeps_its_time_and_another_one_has_its_own(self) -> None:
        self.notes.set_checkpoint("[1]")
        await self.end("release")
        self.client.hset(f"{self.base}job:{self.job_id}", "checkpointed", "1795952197400")
        await self.left()

        for text, is_kept in (("[1]", True), ("[2]", False)):
            self.notes.set_checkpoint(text)
            self.runner.note(self.notes)
            await self.runner.wait_until_idle()

            is_old = (await self.record(self.job_id)).checkpointed_ms == 1795952197400
            self.assertEqual((text, is_kept), (str(await self.shown()), is_old))

    async def test_large_ones_are_handed_out_in_bites(self) -> None:
        await self.fresh()
        ids = [self.job_id, *await self.enqueue_many(39)]
        taken = [self.taken, *(await self.runner.claim(39)).jobs]
        text = '"' + "x" * 60_000 + '"'
        for job in taken:
            notes = Notes(job.job_id, job.token)
            notes.set_checkpoint(text)
            await self.runner.end_and_wait("release", ending("release", job).with_notes(notes.end()))

        first = await self.runner.claim(40)
        rest = [await self.runner.claim(40) for _ in range(2)]

        self.assertTrue(first.is_more)
        self.assertLess(len(first.jobs), 20)
        found = [job for claim in (first, *rest) for job in claim.jobs]
        self.assertEqual(
            (set(ids), {text}), ({job.job_id for job in found}, {job.checkpoint.decode() for job in found})
        )

    async def test_one_that_somebody_wrote_by_hand_breaks_no_claim(self) -> None:
        await self.end("release")
        self.client.hset(f"{self.base}job:{self.job_id}", "checkpoint", "a\x1eb\x1fc")

        self.assertEqual("", await self.left())


if __name__ == "__main__":
    unittest.main()
