"""lib.testing: what a handler's unit test sees is what a worker would have made of it."""

import asyncio
import datetime
import threading
import unittest
from dataclasses import dataclass
from typing import Any

from lib.errors import InvalidFields, WrongState
from lib.handlers.email import send_email
from lib.handlers.email.mailbox import Mailbox
from lib.handlers.email.mailer import Mailer
from lib.handlers.email.smtp.session import Receipt
from lib.jobs import registry
from lib.jobs.registry import Discard, Parent, Retry, Snooze, job
from lib.jobs.result import Unkept
from lib.testing import Added, Enqueued, Interrupted, JobContext, Planned, Step, Told, run, run_async
from tests import jobs_for_tests


@dataclass
class Pages:
    month: str
    pages: int = 1


def database(settings: Any) -> list[str]:
    raise AssertionError("the real one")


@job("talks", max_attempts=3)
async def talks(ctx: registry.JobContext, payload: Pages) -> dict[str, Any]:
    """Says all that a handler can say."""
    ctx.log(f"for {ctx.request_id}, attempt {ctx.attempt} of {ctx.max_attempts}")
    ctx.tell("pages.counted", "counted", pages=payload.pages)
    ctx.progress(1, "half")
    ctx.resource(database).append(payload.month)
    await asyncio.sleep(0)
    mail = await ctx.enqueue("mail", {"to": payload.month}, once="mail", delay_s=5)
    return {"mail": mail, "is_last": ctx.is_last_attempt}


@job("talks_thread")
def talks_thread(ctx: registry.JobContext, payload: Pages) -> Any:
    return threading.current_thread().name, ctx.enqueue("mail", {}), ctx.enqueue("mail", {})


@job("raises", max_attempts=2)
async def raises(ctx: registry.JobContext, payload: dict[str, Any]) -> None:
    raise {"retry": Retry("later", after_s=5), "snooze": Snooze(after_s=6), "discard": Discard("no")}.get(
        payload["what"], StopAsyncIteration("odd")
    )


@job("raises_thread")
def raises_thread(ctx: registry.JobContext, payload: dict[str, Any]) -> Any:
    return next(iter(()))


@job("gives")
async def gives(ctx: registry.JobContext, payload: dict[str, Any]) -> Any:
    return {"date": datetime.date(2026, 11, 1), "pair": (1, 2), "object": object()}[payload["what"]]


@job("stops")
def stops(ctx: registry.JobContext, payload: Pages) -> int:
    for page in range(payload.pages):
        if ctx.cancelled or ctx.stopping:
            return page
        ctx.resource(database).append(str(page))
    return payload.pages


@job("waits")
async def waits(ctx: registry.JobContext, payload: dict[str, Any]) -> None:
    ctx.resource(database).append("begun")
    await asyncio.sleep(60)


@job("forgets_to_await")
async def forgets_to_await(ctx: registry.JobContext, payload: dict[str, Any]) -> None:
    ctx.enqueue("mail", {}).close()


@job("queues_from_a_thread")
async def queues_from_a_thread(ctx: registry.JobContext, payload: dict[str, Any]) -> None:
    await (await asyncio.to_thread(ctx.enqueue, "mail", {}))


@job("queues_on_a_loop_of_its_own")
def queues_on_a_loop_of_its_own(ctx: registry.JobContext, payload: dict[str, Any]) -> Any:
    async def inner() -> Any:
        return ctx.enqueue("mail", {})

    return asyncio.run(inner())


class Run(unittest.TestCase):
    def test_what_the_handler_said_is_there_and_its_result(self) -> None:
        rows: list[str] = []
        ctx = JobContext(attempt=3, max_attempts=3, resources={database: rows})

        given = run(talks, {"month": "2026-11", "pages": 2}, ctx)

        self.assertEqual(["for test-request, attempt 3 of 3"], ctx.logs)
        self.assertEqual([Told("pages.counted", "counted", {"pages": 2})], ctx.told)
        self.assertEqual([Step(1.0, "half")], ctx.steps)
        self.assertEqual(["2026-11"], rows)
        (queued,) = ctx.enqueued
        self.assertEqual(Enqueued(given["mail"], "mail", {"to": "2026-11"}, "mail", {"delay_s": 5}), queued)
        self.assertTrue(given["is_last"])

    def test_under_one_name_there_is_one_job_however_often_it_is_tried(self) -> None:
        ctx = JobContext(resources={database: []})
        first = run(talks, {"month": "a"}, ctx)
        ctx.attempt = 2

        again = run(talks, {"month": "b"}, ctx)

        self.assertEqual(first["mail"], again["mail"])
        self.assertEqual([{"to": "a"}], [one.payload for one in ctx.enqueued])

    def test_a_plain_function_runs_in_a_thread_and_queues_without_await(self) -> None:
        ctx = JobContext()

        name, *ids = run(talks_thread, {"month": "a"}, ctx)

        self.assertEqual("handler", name)
        self.assertEqual(ids, [one.job_id for one in ctx.enqueued])
        self.assertEqual(2, len(set(ids)))

    def test_whether_it_awaits_is_the_handlers_kind_and_not_where_it_calls_from(self) -> None:
        ctx = JobContext()

        run(queues_from_a_thread, {}, ctx)
        given = run(queues_on_a_loop_of_its_own, {}, ctx)

        self.assertEqual([one.job_id for one in ctx.enqueued[1:]], [given])
        self.assertEqual(2, len(ctx.enqueued))

    def test_what_is_not_awaited_on_a_loop_is_not_queued(self) -> None:
        ctx = JobContext()

        run(forgets_to_await, {}, ctx)

        self.assertEqual([], ctx.enqueued)

    def test_the_attempts_are_the_types_where_no_context_says_otherwise(self) -> None:
        attempts = run(talks, {"month": "a"}, attempt=3, resources={database: []})

        self.assertTrue(attempts["is_last"])

    def test_what_it_raises_comes_out(self) -> None:
        with self.assertRaises(Retry) as retry:
            run(raises, {"what": "retry"})
        with self.assertRaises(Snooze) as snooze:
            run(raises, {"what": "snooze"})

        self.assertEqual((5, 6), (retry.exception.after_s, snooze.exception.after_s))
        for handler, kind in ((raises, Discard), (jobs_for_tests.leave, SystemExit), (raises_thread, StopIteration)):
            with self.assertRaises(kind):
                run(handler, {"what": "discard"} if handler is raises else {})

    def test_a_payload_is_refused_as_at_post(self) -> None:
        deep: Any = {}
        for _ in range(200):
            deep = {"a": deep}
        refused: list[tuple[Any, Any, str]] = [
            (talks, {"month": 1}, "/payload/month"),
            (talks, {}, "/payload/month"),
            (talks, {"month": "a", "more": 1}, "/payload/more"),
            (talks, [], "/payload"),
            (talks, Pages("a"), "/payload"),
            (gives, {"what": object()}, "/payload"),
            (gives, {"what": float("nan")}, "/payload"),
            (gives, deep, "/payload"),
            (gives, {"what": "\udc80"}, "/payload"),
            (send_email, {"to": "no address", "subject": "s", "text": "t"}, "/payload/to"),
        ]
        for handler, payload, pointer in refused:
            with self.assertRaises(InvalidFields) as told:
                run(handler, payload)
            self.assertEqual(pointer, told.exception.errors[0].pointer)

    def test_the_handler_gets_a_copy_as_json_would_make_it(self) -> None:
        sent = {"what": ("date",)}

        self.assertEqual({"what": ["date"]}, run(jobs_for_tests.echo, sent))
        self.assertEqual({"what": ("date",)}, sent)

    def test_a_result_is_as_it_is_kept(self) -> None:
        self.assertEqual("2026-11-01", run(gives, {"what": "date"}))
        self.assertEqual([1, 2], run(gives, {"what": "pair"}))
        self.assertIsNone(run(forgets_to_await, {}))
        with self.assertRaises(Unkept):
            run(gives, {"what": "object"})

    def test_a_handler_that_did_nothing_is_reported_so(self) -> None:
        with self.assertRaisesRegex(TypeError, "coroutine and did nothing"):
            run(jobs_for_tests.wrapped, {})

    def test_what_is_no_handler_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "'database' is the handler of no job"):
            run(database, {})
        with self.assertRaises(TypeError):
            run(stops, {"month": "a"}, JobContext(), attempt=2)

    def test_a_checkpoint_is_recorded_as_it_is_kept_and_found_where_the_test_left_one(self) -> None:
        @job("resumes")
        async def resumes(ctx: Any, payload: dict[str, Any]) -> Any:
            ctx.checkpoint({"rows": (1, 2)})
            ctx.checkpoint(None)
            with self.assertRaises(ValueError):
                ctx.checkpoint({"rows": object()})
            return ctx.last_checkpoint

        ctx = JobContext(last_checkpoint={"rows": [1]})

        self.assertEqual({"rows": [1]}, run(resumes, {}, ctx))
        self.assertEqual([{"rows": [1, 2]}, None], ctx.checkpoints)

    def test_a_resource_that_is_made_by_a_coroutine_is_awaited_by_handlers_on_the_loop_alone(self) -> None:
        async def pool(settings: Any) -> list[str]:
            raise AssertionError("the test gives one")

        @job("awaits")
        async def awaits(ctx: Any, payload: dict[str, Any]) -> Any:
            return await ctx.resource(pool)

        @job("plain")
        def plain(ctx: Any, payload: dict[str, Any]) -> Any:
            return ctx.resource(pool)

        for handler in (awaits, plain):
            self.assertEqual(["a row"], run(handler, {}, resources={pool: ["a row"]}))

    def test_what_the_jobs_parents_returned_is_what_the_test_says(self) -> None:
        @job("sums")
        async def sums(ctx: registry.JobContext, payload: dict[str, Any]) -> Any:
            return [[one.name, one.outcome, one.result] for one in await ctx.results()]

        @job("sums_plainly")
        def sums_plainly(ctx: registry.JobContext, payload: dict[str, Any]) -> Any:
            results = ctx.results()
            return results["a"] + results["b"]

        failed = Parent("c", "default-" + "1" * 32, "failed", error={"type": "ValueError", "message": "no"})

        self.assertEqual([["c", "failed", None]], run(sums, {}, parents=[failed]))
        self.assertEqual([["on", "completed", "2026-11-01"]], run(sums, {}, parents={"on": datetime.date(2026, 11, 1)}))
        self.assertEqual([], run(sums, {}))
        self.assertEqual(5, run(sums_plainly, {}, parents={"a": 2, "b": 3}))
        with self.assertRaisesRegex(KeyError, "known: a"):
            run(sums_plainly, {}, parents={"a": 2})

    def test_a_resource_without_a_fake_is_said_and_not_made(self) -> None:
        with self.assertRaisesRegex(LookupError, r"resources=\{database: …\}"):
            run(talks, {"month": "a"})

    def test_what_the_real_context_refuses_is_refused(self) -> None:
        ctx = JobContext(types=[talks, send_email, jobs_for_tests.order])
        refused: list[tuple[str, Any, dict[str, Any]]] = [
            ("talks", {"month": 1}, {}),
            ("email", {}, {}),
            ("other", [], {}),
            ("other", {}, {"delay_s": -1}),
            ("other", {}, {"colour": "red"}),
            ("other", {}, {"once": "no name"}),
            ("other", {}, {"group": "no name"}),
            ("order", {"customer": {"id": "no name"}}, {}),
        ]

        for name, payload, options in refused:
            with self.assertRaises(InvalidFields):
                ctx.enqueue(name, payload, **options)
        with self.assertRaises(ValueError):
            ctx.progress(2)
        self.assertEqual(([], []), (ctx.enqueued, ctx.steps))

    def test_a_job_that_waits_for_others_is_checked_and_recorded_as_any(self) -> None:
        ctx = JobContext()
        first = ctx.enqueue("fetch", {})
        alarm = {"type": "mail", "payload": {}, "on": "failed"}
        job_id = ctx.enqueue("sum", {}, after=(first,), then=[alarm], once="sum")

        self.assertEqual(job_id, ctx.enqueue("sum", {}, after=[first], once="sum"))
        self.assertEqual([None, "sum"], [one.once for one in ctx.enqueued])
        for options in ({"after": ["no id"]}, {"then": [{"type": "mail"}]}, {"after": [first], "unique": {"key": "a"}}):
            with self.assertRaises(InvalidFields):
                ctx.enqueue("sum", {}, **options)

    def test_a_workflow_is_checked_and_recorded_once_for_each_name(self) -> None:
        ctx = JobContext()
        jobs = {"fetch": {"type": "fetch", "payload": {}}, "sum": {"type": "sum", "payload": {}, "after": ["fetch"]}}

        ids = [ctx.workflow(jobs, name="import", once="import") for _ in range(2)]

        self.assertEqual([Planned(ids[0], jobs, "import", {"name": "import"})], ctx.planned)
        self.assertEqual(1, len(set(ids)))
        with self.assertRaises(InvalidFields) as told:
            ctx.workflow({"a": {"type": "a", "payload": {}, "after": ["b"]}})
        self.assertEqual(["/jobs/a/after/0"], [error.pointer for error in told.exception.errors])

    def test_a_callback_url_is_kept_with_what_was_asked_and_a_wrong_one_is_refused(self) -> None:
        ctx = JobContext(members=())
        job, url = {"type": "any", "payload": {}}, "https://a.example/done"

        ctx.workflow({"a": {**job, "callback_url": url}}, callback_url=url)
        ctx.enqueue("any", {}, callback_url=url)
        ctx.add("b", "any", {}, callback_url=url)

        kept = (ctx.planned[0].options, ctx.enqueued[0].options, ctx.added[0].options)
        self.assertEqual([url] * 3, [options["callback_url"] for options in kept])
        with self.assertRaises(InvalidFields):
            ctx.enqueue("any", {}, callback_url="a.example/done")

    def test_a_job_is_added_to_a_workflow_once_for_each_name(self) -> None:
        ctx = JobContext(members=["fetch"])

        ids = [ctx.add("page-1", "ocr", {"page": 1}, after=("fetch",), optional=True, delay_s=5) for _ in range(2)]
        ctx.add("page-2", "ocr", {"page": 2}, after=["page-1", {"job": "fetch", "on": "ended"}])

        self.assertEqual(ids[0], ids[1])
        self.assertEqual(["page-1", "page-2"], [one.name for one in ctx.added])
        self.assertEqual(
            Added(ids[0], "page-1", "ocr", {"page": 1}, ("fetch",), {"optional": True, "delay_s": 5}), ctx.added[0]
        )
        refused: list[tuple[str, dict[str, Any], str]] = [
            ("a name", {}, "/name"),
            ("fetch", {}, "/name"),
            ("b", {"after": ["c"]}, "/after/0"),
            ("b", {"after": ["fetch", "fetch"]}, "/after/1"),
            ("b", {"after": "fetch"}, "/after"),
            ("b", {"after": [{"job": "fetch", "on": "begun"}]}, "/after/0/on"),
            ("b", {"unique": {"key": "a"}}, "/unique"),
            ("b", {"then": [{"type": "mail", "payload": {}}]}, "/then"),
            ("b", {"colour": "red"}, "/colour"),
            ("b", {"optional": "yes"}, "/optional"),
        ]
        for name, options, pointer in refused:
            with self.assertRaises(InvalidFields) as told:
                ctx.add(name, "ocr", {}, **options)
            self.assertEqual(pointer, told.exception.errors[0].pointer)
        with self.assertRaisesRegex(WrongState, "belongs to no workflow"):
            JobContext().add("page-1", "ocr", {})

    def test_a_mail_is_sent_by_a_fake_mailer(self) -> None:
        class Fake:
            sender = Mailbox("Shop", "shop@example.com")

            async def send(self, letter: Any) -> Receipt:
                return Receipt(accepted=letter.recipients, refused={}, response="250 ok")

        done = run(send_email, {"to": "a@example.com", "subject": "s", "text": "t"}, resources={Mailer: Fake()})

        self.assertEqual(["a@example.com"], done["accepted"])


class Stops(unittest.IsolatedAsyncioTestCase):
    def test_who_hears_that_it_is_cancelled_and_returns_has_not_completed(self) -> None:
        rows: list[str] = []

        with self.assertRaises(Interrupted):
            run(stops, {"month": "a", "pages": 3}, cancelled=True, resources={database: rows})

        self.assertEqual([], rows)

    def test_who_makes_way_for_a_runner_that_leaves_has(self) -> None:
        self.assertEqual(0, run(stops, {"month": "a", "pages": 3}, stopping=True))
        self.assertEqual(3, run(stops, {"month": "a", "pages": 3}, resources={database: []}))

    def test_a_fake_may_cancel_a_coroutine_while_it_runs(self) -> None:
        class Cancels(list[str]):
            def append(self, _row: str) -> None:
                ctx.cancelled = True

        ctx = JobContext(resources={database: Cancels()})

        with self.assertRaises(asyncio.CancelledError):
            run(waits, {}, ctx)

    async def test_in_a_test_that_is_a_coroutine_it_is_awaited(self) -> None:
        self.assertEqual([1, 2], await run_async(gives, {"what": "pair"}))
        name, *_ = await run_async(talks_thread, {"month": "a"})
        self.assertEqual("handler", name)
        with self.assertRaisesRegex(RuntimeError, "await run_async"):
            run(gives, {"what": "pair"})


class Alike(unittest.TestCase):
    def test_it_has_all_that_the_real_one_has(self) -> None:
        """For mypy: the fake is a JobContext of the registry's."""
        fake: registry.JobContext = JobContext()
        names = {name for name in vars(registry.JobContext) if not name.startswith("_")}

        self.assertEqual([], [name for name in names if not hasattr(fake, name)])


if __name__ == "__main__":
    unittest.main()
