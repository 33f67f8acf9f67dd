"""A spec as text: written once, read back the same, and refused when it is not one."""

import json
import re
import unittest

from lib.jobs import spec as spec_module
from lib.jobs import spec_rows
from lib.jobs.backoff import Backoff
from lib.jobs.spec import JobSpec, SpecError, SpecTooNew, make_spec
from lib.tracing import Trace

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")
PAYLOADS: tuple[dict[str, object], ...] = (
    {},
    {"to": "a@b.example", "n": 10**30, "f": 0.1, "x": [[], {}, None, True]},
    {"text": 'quote " backslash \\ slash / newline \n nul \x00 separators \x1e\x1f ünï 三 😀'},
    {"a/b~c": {"": {"deep": [1.5e300, -0.0]}}},
)


def spec(payload: dict[str, object], **fields: object) -> JobSpec:
    values: dict[str, object] = {"max_attempts": 5, "timeout_s": 60.0, "backoff": Backoff(2.0, 3600.0), **fields}
    return JobSpec("email", payload, "req.1", TRACE, **values)  # type: ignore[arg-type]


_HEAD = '"trace":"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","max_attempts"'
# Specs, and the texts that Waybill 0.1.0 wrote of them. Runners of that version read what this one writes.
FROZEN: tuple[tuple[JobSpec, str], ...] = (
    (
        spec({"to": "test@gmail.com", "subject": "Hi", "text": "Hello"}, timeout_s=60, backoff=Backoff()),
        (
            f'{{"v":1,"type":"email","request_id":"req.1",{_HEAD}:5,"timeout_s":60,"backoff":[2,3600],'
            '"payload":{"to":"test@gmail.com","subject":"Hi","text":"Hello"}}'
        ),
    ),
    (
        spec({}, priority="high", unique_key="order-4711"),
        (
            f'{{"v":1,"type":"email","request_id":"req.1",{_HEAD}:5,"timeout_s":60,"backoff":[2,3600],'
            '"priority":"high","unique_key":"order-4711","payload":{}}'
        ),
    ),
    (
        JobSpec(
            "töne / 三",
            {"a/b~c": [1, 2.5, None, True, {}], "n": 10**30},
            "A-z_0.9",
            TRACE,
            1000,
            0.25,
            Backoff(0.00001, 316_224_000),
            "low",
        ),
        (
            f'{{"v":1,"type":"töne / 三","request_id":"A-z_0.9",{_HEAD}:1000,"timeout_s":0.25,'
            '"backoff":[1e-05,316224000],"priority":"low",'
            '"payload":{"a/b~c":[1,2.5,null,true,{}],"n":1000000000000000000000000000000}}'
        ),
    ),
    (
        spec({"text": 'quote " nul \x00 \x1f ünï'}, backoff=Backoff(1 / 3, 1e7), unique_key='a,"payload":\\b 三'),
        (
            f'{{"v":1,"type":"email","request_id":"req.1",{_HEAD}:5,"timeout_s":60,"backoff":[0.333333333333333,10000000],'
            '"unique_key":"a,\\"payload\\":\\\\b 三","payload":{"text":"quote \\" nul \\u0000 \\u001f ünï"}}'
        ),
    ),
)


class Spec(unittest.TestCase):
    def test_the_text_of_a_spec_is_what_it_always_was(self) -> None:
        for made, text in FROZEN:
            self.assertEqual(text, made.to_text())
            read = JobSpec.from_text(text)
            self.assertEqual(made._replace(backoff=read.backoff), read)

    def test_what_is_written_is_read_back(self) -> None:
        for payload in PAYLOADS:
            for made in (spec(payload), spec(payload, priority="high", timeout_s=0.25, backoff=Backoff(0.5, 1e7))):
                self.assertEqual(made, JobSpec.from_text(made.to_text()))
                self.assertEqual(made, JobSpec.from_text(made.to_text().encode()))

    def test_the_tables_name_the_fields_behind_trace_in_their_order(self) -> None:
        rows = (*spec_rows.OPTIONS, *spec_rows.RARE)

        self.assertEqual(JobSpec._fields, ("type", "payload", "request_id", "trace", *(row.name for row in rows)))
        self.assertLessEqual({row.name for row in spec_rows.RARE}, set(JobSpec._field_defaults))

    def test_a_spec_is_made_of_fields_by_their_names(self) -> None:
        made = spec({"n": 1}, priority="low", unique_key="k")

        self.assertEqual(made, make_spec({**made._asdict(), "beside": "others"}))
        with self.assertRaises(KeyError):
            make_spec({"type": "email"})

    def test_what_we_write_ourselves_is_read_the_quick_way(self) -> None:
        # Else every job would be read correctly, and slowly, and nothing would tell.
        for payload in PAYLOADS:
            for made in (
                spec(payload),
                spec(payload, priority="high", timeout_s=0.25, backoff=Backoff(0.5, 1e7)),
                spec(payload, unique_key='a,"payload":b \\ 三', timeout_s=1e-5),
                spec(payload, group="tenant-42"),
                spec(payload, tags=("eu", "order-17:a/b")),
                spec(payload, group="A.b_c:d@e/f-g", tags=("eu",), unique_key="k", priority="low"),
                spec(payload, by=f"{'q' * 64}-{7:032x}", workflow="a-" + "0" * 32),
                spec(payload, workflow="a-" + "0" * 32, tags=("eu",), unique_key="k", priority="low"),
            ):
                self.assertEqual(made, spec_module._read_ours(made.to_text()))

    def test_a_group_and_tags_stand_before_the_unique_key(self) -> None:
        text = spec({}, group="tenant-42", tags=("eu", "order-17"), unique_key="k").to_text()

        self.assertIn(',"group":"tenant-42","tags":["eu","order-17"],"unique_key":"k","payload":{}}', text)

    def test_the_longest_group_ends_within_the_part_of_a_spec_that_listings_search(self) -> None:
        """page.lua reads the first 1,024 bytes."""
        made = JobSpec(
            "三" * 64, {}, "r" * 128, TRACE, 1000, 0.123456789012345, Backoff(1 / 3, 316_224_000.0), "normal", "g" * 128
        )

        text = made.to_text().encode()

        self.assertLess(text.index(b"g" * 128) + 128, 1024)

    def test_who_queued_the_job_and_its_workflow_stand_behind_its_tags(self) -> None:
        text = spec({}, tags=("eu",), by="a-1", workflow="b-2", unique_key="k").to_text()

        self.assertIn(',"tags":["eu"],"by":"a-1","workflow":"b-2","unique_key":"k","payload":{}}', text)

    def test_tags_that_somebody_wrote_by_hand_cost_no_job_its_run(self) -> None:
        text = spec({}, tags=("eu",)).to_text()
        for tags, read in (("[1,null]", ("1", "None")), ('"eu"', ()), ("null", ()), ("[[]]", ("[]",))):
            self.assertEqual(read, JobSpec.from_text(text.replace('["eu"]', tags)).tags)

    def test_it_is_json_and_holds_no_separator_byte(self) -> None:
        for payload in PAYLOADS:
            text = spec(payload).to_text()
            self.assertEqual(payload, json.loads(text)["payload"])
            self.assertFalse(set(text) & {"\x1c", "\x1d", "\x1e", "\x1f", "\n"})

    def test_what_json_has_no_word_for_is_refused_when_it_is_written(self) -> None:
        for value in (float("nan"), float("inf"), object(), b"bytes"):
            with self.assertRaises((ValueError, TypeError)):
                spec({"x": value}).to_text()

    def test_a_later_version_is_reported_from_what_can_not_be_read(self) -> None:
        text = spec({}).to_text()
        with self.assertRaises(SpecTooNew):
            JobSpec.from_text(text.replace('{"v":1', '{"v":2'))

        for bad in (
            "",
            "null",
            "[]",
            "{}",
            "1",
            '"v"',
            "{",
            text[:-5],
            text.replace('"trace"', '"t"'),
            b"\xff",
            "[" * 10**5,
            text.replace("[2,3600]", "[2]"),
            text.replace("[2,3600]", "7"),
        ):
            with self.subTest(bad[:40]), self.assertRaises(SpecError) as refused:
                JobSpec.from_text(bad)
            self.assertNotIsInstance(refused.exception, SpecTooNew)

    def test_numbers_that_no_attempt_could_be_counted_or_timed_by_are_refused(self) -> None:
        text = spec({}).to_text()
        for name in ("max_attempts", "timeout_s"):
            for value in ('"3"', "null", "[]", "0", "-1", "NaN"):
                with self.subTest(name=name, value=value), self.assertRaises(SpecError):
                    JobSpec.from_text(re.sub(f'"{name}":[0-9.]+', f'"{name}":{value}', text))
        for value in ("1e400", "1" + "0" * 400):
            with self.subTest(value), self.assertRaises(SpecError):
                JobSpec.from_text(re.sub('"timeout_s":[0-9.]+', f'"timeout_s":{value}', text))
        for pair in ('["a","b"]', "[null,1]", "[1,NaN]", "[-1,1]", f"[1,1{'0' * 400}]", '{"a":1,"b":2}'):
            with self.subTest(pair), self.assertRaises(SpecError):
                JobSpec.from_text(text.replace("[2,3600]", pair))

    def test_a_text_that_is_nearly_ours_is_read_as_any_json(self) -> None:
        text = spec({"n": 1}).to_text()
        self.assertEqual(spec({"n": 1}), JobSpec.from_text(text))  # From now on its options are known.
        for other, change in (
            (text.replace(',"payload":', ',"payload":[],"payload": '), {}),
            (text.replace(',"payload":', ', "payload":'), {}),
            (text[:-1] + "} \n", {}),
            (text[:-1] + ',"payload":{"n":2}}', {"payload": {"n": 2}}),
            (text[:-1] + ',"max_attempts":7}', {"max_attempts": 7}),
            (text.replace('"max_attempts":5', '"request_id":"other","max_attempts":5'), {"request_id": "other"}),
            (text.replace('"max_attempts":5', '"type":"other","max_attempts":5'), {"type": "other"}),
            (text.replace('"max_attempts":5', '"x":"' + "y" * 1000 + '","max_attempts":5'), {}),
            (text.replace('"email"', '"em\\u0061il"'), {}),
            (text.replace(',"payload":{"n":1}', "").replace('"v":1,', '"v":1,"payload":{"n":1},'), {}),
            (spec({}, unique_key='a,"payload":b').to_text(), {"payload": {}, "unique_key": 'a,"payload":b'}),
        ):
            with self.subTest(other):
                self.assertEqual(spec({"n": 1})._replace(**change), JobSpec.from_text(other))

    def test_a_text_that_is_nearly_ours_and_no_json_is_refused(self) -> None:
        text = spec({"n": 1}).to_text()
        JobSpec.from_text(text)
        for bad in (
            text + "}",
            text[:-1],
            text[:-1] + "]",
            text.replace('{"n":1}', "{"),
            text.replace('{"n":1}', ""),
            text.replace('{"n":1}', "[" * 10**5),
            text.replace('"req.1"', '"req 1"'),
            text.replace(TRACE.trace_id, TRACE.trace_id.upper()),
            text.replace(',"payload":{"n":1}', ""),
            text.replace("[2,3600]", "[2-,3600]"),
            text.replace("[2,3600]", "[2,3600,1]"),
        ):
            with self.subTest(bad[:200]), self.assertRaises(SpecError):
                JobSpec.from_text(bad)


if __name__ == "__main__":
    unittest.main()
