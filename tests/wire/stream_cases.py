"""Raw requests to POST /api/jobs/batch, whose body is taken as it arrives; otherwise as http_cases.py has them.

The framing of a streamed body may go wrong when its answer has begun. Then the answer's last line says so (Case.ends)
and the connection is closed behind it: whatever follows must not be taken for a request. A line that was whole before
the fault is in; the one that the fault is in never is.
"""

from collections.abc import Iterator, Sequence

from tests.wire.http_cases import CASES, HIDDEN, JOB, C, Case, H, counted, get

LINE = JOB + b"\n"
LINES_LIMIT = 256 * 1024 * 1024
ARRAY_LIMIT = 8 * 1024 * 1024
NDJSON = b"Content-Type: application/x-ndjson\r\n"
ARRAY = b"Content-Type: application/json\r\n"
POST = b"POST /api/jobs/batch HTTP/1.1"


def batch(fields: bytes = b"", body: bytes = b"", line: bytes = POST, kind: bytes = NDJSON) -> bytes:
    """An upload whose framing is the caller's."""
    return line + b"\r\n" + H + kind + fields + b"\r\n" + body


def lines(body: bytes, fields: bytes = b"", kind: bytes = NDJSON) -> bytes:
    """With the right Content-Length."""
    return batch(fields + b"Content-Length: %d\r\n" % len(body), body, kind=kind)


def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n", kind: bytes = NDJSON) -> bytes:
    """A chunk for each part."""
    return batch(C, b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + end, kind=kind)


def _taken(group: str, jobs: int, *raws: bytes) -> Iterator[Case]:
    for raw in raws:
        yield Case(f"stream: {group}", raw, (200,), closes=False, jobs=jobs)


def _refused(group: str, status: int, *raws: bytes, closes: bool = True) -> Iterator[Case]:
    for raw in raws:
        yield Case(f"stream: {group}", raw, (status,), closes)


def _broken(group: str, jobs: int, *raws: bytes, status: int = 400) -> Iterator[Case]:
    """Answered 200, and in the last line with `status`."""
    for raw in raws:
        yield Case(f"stream: {group}", raw, (200,), jobs=jobs, ends=status)


def _good() -> Iterator[Case]:
    yield from _taken("no line", 0, lines(b""), lines(b"\n\r\n \t\n"), batch(C, b"0\r\n\r\n"), batch())
    yield from _taken("a line", 1, lines(LINE), lines(JOB), lines(JOB + b"\r\n"), lines(b"\n \n" + LINE), chunks(LINE))
    yield from _taken("a line in single chunks", 1, chunks(*(bytes([byte]) for byte in LINE)))
    yield from _taken("lines", 3, lines(LINE * 3), lines(LINE * 2 + JOB), chunks(LINE, LINE + JOB[:5], JOB[5:]))
    yield from _taken("lines of which some are bad", 2, lines(LINE + b"nonsense\n[]\n\xff\n" + LINE))
    yield from _taken(
        "a request in the lines", 0, lines(HIDDEN), lines(get()), chunks(HIDDEN), lines(b"0\r\n\r\n" + HIDDEN)
    )
    yield from _taken("a request in the lines", 1, lines(JOB + b"\r\n\r\n" + HIDDEN))
    for trailer in (b"X: y", b"Authorization: Bearer x", b"Content-Length: 5", b"Host: b", b"Transfer-Encoding: x"):
        yield from _taken("trailers are never merged", 1, chunks(LINE, end=b"0\r\n%b\r\n\r\n" % trailer))
    extended = b'%x;a=b;c="\\"d"\r\n%b\r\n0;e\r\n\r\n' % (len(LINE), LINE)
    yield from _taken("chunk extensions", 1, batch(C, extended))
    signed = b"%x;s=%b\r\n%b\r\n" % (len(LINE), b"a" * 24, LINE)
    yield from _taken("chunk extensions, more in all than one chunk may have", 50, batch(C, signed * 50 + b"0\r\n\r\n"))
    yield from _taken(
        "an array", 2, lines(b"[%b,1,%b]" % (JOB, JOB), kind=ARRAY), chunks(b"[", JOB + b",", JOB + b"]", kind=ARRAY)
    )
    old = POST.replace(b"1.1", b"1.0")
    yield Case("stream: HTTP/1.0", batch(b"Content-Length: %d\r\n" % len(LINE), LINE, old), (200,), jobs=1)


def _pipelines() -> Iterator[Case]:
    raws = (get() + lines(LINE) + chunks(LINE) + get(), counted(JOB) + chunks(LINE) + lines(b"") + get())
    for raw, statuses in zip(raws, ((200,) * 4, (202, 200, 200, 200)), strict=True):
        yield Case("stream: pipelined", raw, statuses, closes=False, jobs=2)
    yield Case("stream: pipelined, then garbage", lines(LINE) + b"garbage\r\n\r\n", (200, 400), jobs=1)
    yield Case("stream: Connection: close", lines(LINE, b"Connection: close\r\n") + get(), (200,), jobs=1)


def _refusals() -> Iterator[Case]:
    hidden = b"Content-Length: %d\r\n" % len(HIDDEN)
    for kind in (b"", b"Content-Type: text/plain\r\n", NDJSON.replace(b"\r", b"; charset=latin-1\r")):
        yield from _refused("another type", 415, lines(HIDDEN, kind=kind), chunks(HIDDEN, kind=kind), closes=False)
    yield from _refused("another coding", 415, lines(HIDDEN, b"Content-Encoding: gzip\r\n"), closes=False)
    yield from _refused("another type, without a body", 415, lines(b"", kind=b""), closes=False)
    yield from _refused("another method", 405, batch(hidden, HIDDEN, POST.replace(b"POST", b"PUT")), closes=False)
    yield from _refused("Accept that leaves nothing", 406, lines(HIDDEN, b"Accept: text/html\r\n"), closes=False)
    yield from _refused("a key for one job", 422, lines(HIDDEN, b"Idempotency-Key: k\r\n"), closes=False)
    yield from _refused("a parameter", 422, batch(hidden, HIDDEN, POST.replace(b"batch", b"batch?x=1")), closes=False)
    yield from _refused(
        "a parameter, without a body", 422, batch(line=POST.replace(b"batch", b"batch?x=1")), closes=False
    )
    yield from _refused("another host's page", 403, lines(HIDDEN, b"Origin: http://evil.example\r\n"))
    yield from _refused("an expectation", 417, lines(HIDDEN, b"Expect: x\r\n"))
    huge = (LINES_LIMIT + 1, 2**32 + 1, 2**64 + len(HIDDEN), 10**25)
    yield from _refused("too large", 413, *(batch(b"Content-Length: %d\r\n" % size, HIDDEN) for size in huge))
    yield from _refused("too large", 413, batch(b"Content-Length: %d\r\n" % (ARRAY_LIMIT + 1), HIDDEN, kind=ARRAY))
    yield from _refused(
        "too large", 413, batch(C, b"%x\r\n" % (LINES_LIMIT + 1) + HIDDEN), batch(C, b"f" * 16 + b"\r\n")
    )
    yield from _refused("both framings", 400, batch(C + hidden, HIDDEN), batch(hidden + C, b"0\r\n\r\n" + HIDDEN))
    yield from _refused("no framing at its beginning", 400, *(batch(C, bad + LINE + HIDDEN) for bad in _BAD_SIZES))
    yield from _refused("not an array", 400, lines(b"[", kind=ARRAY), lines(b"", kind=ARRAY), closes=False)
    yield from _refused(
        "not an array", 422, lines(b"{}", kind=ARRAY), lines(b"[" + b"1," * 1000 + b"1]", kind=ARRAY), closes=False
    )


_BAD_SIZES = (
    *(
        b"x\r\n",
        b"\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"1\n",
        b"1;\r\n",
        b"1;a=\r\n",
        b"0" * 17 + b"\r\n",
    ),
    *(b"1_0\r\n", b"-1\r\n", b"\0", b"1;" + b"a" * 2000 + b"\r\n", "٥\r\n".encode()),
)


def _breaks() -> Iterator[Case]:
    first = b"%x\r\n%b\r\n" % (len(LINE), LINE)
    yield from _broken("framing amid it", 1, *(batch(C, first + bad + HIDDEN) for bad in _BAD_SIZES))
    yield from _broken("a chunk longer than its size", 1, batch(C, b"%x\r\n%bX" % (len(LINE), LINE) + HIDDEN))
    yield from _broken("a line in the broken chunk", 1, batch(C, first + b"1\r\n{x" + HIDDEN))
    yield from _broken("a chunk longer than its size", 0, batch(C, b"1\r\n1x" + LINE + HIDDEN))
    trailers = (b"X\r\n\r\n", b"X : y\r\n\r\n", b"X: y\r\n z\r\n\r\n", b"X: y\n\r\n", b"\n\r\n", HIDDEN)
    yield from _broken("bad trailers", 1, *(batch(C, first + b"0\r\n" + bad + HIDDEN) for bad in trailers))
    many = b"X: y\r\n" * 65 + b"\r\n", b"X: " + b"y" * 17 * 1024 + b"\r\n\r\n"
    yield from _broken("trailers over the limit", 1, *(batch(C, first + b"0\r\n" + bad) for bad in many), status=431)
    yield from _broken("too large amid it", 1, batch(C, first + b"%x\r\n" % LINES_LIMIT + HIDDEN), status=413)
    extended = b"".join(b"1;%b\r\n%c\r\n" % (b"a" * 60, byte) for byte in LINE)
    yield from _broken("extensions over the limit in all", 0, batch(C, extended + b"0\r\n\r\n" + HIDDEN))


STREAM_CASES: Sequence[Case] = (*_good(), *_pipelines(), *_refusals(), *_breaks())
ALL_CASES: Sequence[Case] = (*CASES, *STREAM_CASES)
