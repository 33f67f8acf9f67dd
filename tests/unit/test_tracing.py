"""traceparent: read, continued, begun, and ignored where the specification says so."""

import hashlib
import unittest

from lib.tracing import Sampler, Trace, attempt_span_id, is_sampled, job_span_id, parse_traceparent, trace_from
from tests.traces import new_trace

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

DIGITS = "1" * 32 + "2" * 16
JOB_SPAN, ATTEMPT_SPAN = "8a3e90ba8a519e1e", "11815582da72ef3c"


class Traceparent(unittest.TestCase):
    def test_it_is_read_and_written_back(self) -> None:
        trace = parse_traceparent(GOOD)

        assert trace is not None
        self.assertEqual(GOOD, trace.traceparent)

    def test_what_is_malformed_is_ignored(self) -> None:
        for text in (
            "",
            "00",
            GOOD.upper(),
            GOOD[:-1],
            GOOD + "0",
            GOOD + "-x",
            GOOD.replace("00-", "ff-", 1),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
            GOOD.replace("b7ad6b7169203331", "0" * 16),
            GOOD + "\n",
            " " + GOOD,
            GOOD.replace("-", "_"),
        ):
            self.assertIsNone(parse_traceparent(text), text)

    def test_a_later_version_may_have_more_behind_it(self) -> None:
        later = GOOD.replace("00-", "01-", 1)

        self.assertEqual(parse_traceparent(GOOD), parse_traceparent(later))
        self.assertEqual(parse_traceparent(GOOD), parse_traceparent(later + "-more-of-it"))
        self.assertIsNone(parse_traceparent(later + "more"))

    def test_a_callers_trace_goes_on_under_a_span_of_ours(self) -> None:
        trace = trace_from(GOOD, DIGITS)

        self.assertEqual(("0af7651916cd43dd8448eb211c80319c", "01"), (trace.trace_id, trace.flags))
        self.assertEqual("2" * 16, trace.span_id)

    def test_without_one_a_new_trace_begins(self) -> None:
        for header in (None, "", "nonsense"):
            made = trace_from(header, DIGITS)
            self.assertEqual(Trace("1" * 32, "2" * 16, "01"), parse_traceparent(made.traceparent))

    def test_new_traces_are_valid_and_differ(self) -> None:
        made = {new_trace() for _ in range(1000)}

        self.assertEqual(1000, len({trace.trace_id for trace in made}))
        for trace in list(made)[:50]:
            self.assertEqual(trace, parse_traceparent(trace.traceparent))


class Derived(unittest.TestCase):
    def test_a_job_and_each_of_its_attempts_have_a_span_that_is_the_same_at_each_call(self) -> None:
        """The digits are those of `printf 'q-1' | sha256sum` and `printf 'q-1 2' | sha256sum`."""
        for _ in range(2):
            self.assertEqual(JOB_SPAN, job_span_id("q-1"))
            self.assertEqual(ATTEMPT_SPAN, attempt_span_id("q-1", 2))

    def test_no_two_steps_have_the_same_and_each_is_valid_in_a_traceparent(self) -> None:
        spans = {job_span_id(job_id) for job_id in ("q-1", "q-11", "r-1")}
        spans |= {attempt_span_id(job_id, token) for job_id in ("q-1", "q-11", "r-1") for token in (1, 2, 11)}

        self.assertEqual(12, len(spans))
        for span_id in spans:
            trace = Trace("1" * 32, span_id, "01")
            self.assertEqual(trace, parse_traceparent(trace.traceparent))


class Sampling(unittest.TestCase):
    def test_the_last_bit_of_the_flags_says_it(self) -> None:
        self.assertEqual([True, False, True, False], [is_sampled(flags) for flags in ("01", "00", "03", "fe")])

    def test_a_ratio_is_kept_by_the_trace_id_so_that_all_who_begin_it_decide_the_same(self) -> None:
        digits = [hashlib.sha256(b"%d" % n).hexdigest()[:48] for n in range(2000)]

        for ratio, low, high in ((0.0, 0, 0), (0.25, 400, 600), (1.0, 2000, 2000)):
            traces = [Sampler(ratio).trace_from(None, one) for one in digits]
            kept = [trace for trace in traces if is_sampled(trace.flags)]

            self.assertTrue(low <= len(kept) <= high, (ratio, len(kept)))
            self.assertEqual(traces, [Sampler(ratio).decided(trace._replace(flags="01")) for trace in traces])
            self.assertLessEqual({trace.trace_id for trace in kept}, self.kept(Sampler(ratio * 1.5), digits))

    def kept(self, sampler: Sampler, digits: list[str]) -> set[str]:
        traces = [sampler.trace_from(None, one) for one in digits]
        return {trace.trace_id for trace in traces if is_sampled(trace.flags)}

    def test_a_callers_flag_is_obeyed_unless_the_sampler_is_not_to(self) -> None:
        unsampled = GOOD[:-2] + "00"

        for header in (GOOD, unsampled, None, "nonsense"):
            self.assertEqual(trace_from(header, DIGITS), Sampler().trace_from(header, DIGITS))
        self.assertEqual(["01", "00"], [Sampler(0.0).trace_from(one, DIGITS).flags for one in (GOOD, unsampled)])
        deaf = Sampler(1.0, obeys_caller=False).trace_from(unsampled, DIGITS)
        self.assertEqual((GOOD[3:35], DIGITS[32:], "01"), tuple(deaf))


if __name__ == "__main__":
    unittest.main()
