"""THE TABLE of raw requests: the bytes, the statuses they must be answered with, and whether the connection goes on.

A case is sent with FOLLOWER behind it. Where it `closes`, the follower must never be answered: nobody may guess where
the next request would begin. Else the follower's 200 comes last. RFC 9112 and RFC 9110 decide; the sections are named
where a case would surprise.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

H = b"Host: a\r\n"
C = b"Transfer-Encoding: chunked\r\n"
JSON = b"Content-Type: application/json\r\n"
FOLLOWER = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
# What hides in a body. It must never be served; its path would be in the log.
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
JOB = b'{"type":"noop","payload":{}}'
BODY_LIMIT = 1024 * 1024


class Case(NamedTuple):
    """One row. jobs: how many it queues. ends: the status in the last line of a streamed answer that ends early."""

    group: str
    raw: bytes
    statuses: tuple[int, ...] = (400,)
    closes: bool = True
    jobs: int = 0
    ends: int = 0

    @property
    def is_to_head(self) -> bool:
        return self.raw.startswith(b"HEAD ")

    @property
    def expected(self) -> list[int]:
        """The statuses of all answers, the follower's among them."""
        return [*self.statuses] if self.closes else [*self.statuses, 200]


def get(fields: bytes = H, line: bytes = b"GET /livez HTTP/1.1") -> bytes:
    return line + b"\r\n" + fields + b"\r\n"


def post(fields: bytes = b"", body: bytes = b"", line: bytes = b"POST /api/jobs HTTP/1.1") -> bytes:
    """A POST whose framing is the caller's."""
    return line + b"\r\n" + H + JSON + fields + b"\r\n" + body


def counted(body: bytes, fields: bytes = b"") -> bytes:
    """A POST with the right Content-Length."""
    return post(fields + b"Content-Length: %d\r\n" % len(body), body)


def chunked(body: bytes, fields: bytes = b"") -> bytes:
    """A POST with `body` in one chunk."""
    return post(C + fields, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))


def _of(group: str, *raws: bytes, statuses: tuple[int, ...] = (400,), closes: bool = True) -> Iterator[Case]:
    for raw in raws:
        yield Case(group, raw, statuses, closes)


def _served(group: str, *raws: bytes, status: int = 200) -> Iterator[Case]:
    yield from _of(group, *raws, statuses=(status,), closes=False)


def _queued(group: str, *raws: bytes) -> Iterator[Case]:
    for raw in raws:
        yield Case(group, raw, (202,), closes=False, jobs=1)


def _request_line() -> Iterator[Case]:
    yield from _of(
        "request line: X",
        *(
            get(line=line)
            for line in (
                b"GET  /livez HTTP/1.1",
                b"GET /livez  HTTP/1.1",
                b"GET\t/livez HTTP/1.1",
                b"GET /livez\tHTTP/1.1",
                b"GET /livez HTTP/1.1 ",
                b"GET /livez HTTP/1.1\t",
                b" GET /livez HTTP/1.1",
                b"GET /livez",
                b"GET",
                b"GET /li vez HTTP/1.1",
                b"GET /livez HTTP/1.32",
                b"GET /livez HTTP/11",
                b"GET /livez HTTP/1",
                b"GET /livez HTTP/1.",
                b"GET /livez HTTP/.1",
                b"GET /livez HTTP/1.1.1",
                b"GET /livez HTTP/+1.1",
                b"GET /livez HTTP/1.\xd9\xa1",
                b"GET /livez http/1.1",
                b"GET /livez HTTPS/1.1",
                b"GET /livez HTTP/1.1\x0b",
                b"GET /livez\x0cHTTP/1.1",
                b"GET /livez\xa0HTTP/1.1",
                b"GET /livez HTTP/1.1\r",
                b"GET /li\0vez HTTP/1.1",
                b"GET /li\rvez HTTP/1.1",
                b"G@T /livez HTTP/1.1",
                b"GET: /livez HTTP/1.1",
                b"G\xc3\x89T /livez HTTP/1.1",
                b"GET /livez#x HTTP/1.1",
                b"GET /li%vez HTTP/1.1",
                b"GET /li%zzvez HTTP/1.1",
                b"GET /a\\b HTTP/1.1",
                b"GET /\xc3\xa9 HTTP/1.1",
                b'GET /" HTTP/1.1',
                b"GET /<x> HTTP/1.1",
                b"GET livez HTTP/1.1",
                b"GET * HTTP/1.1",
                b"GET ?x HTTP/1.1",
                b"GET ftp://a/livez HTTP/1.1",
                b"GET http:///livez HTTP/1.1",
                b"GET http://u@a/livez HTTP/1.1",
                b"GET http://a:99999/livez HTTP/1.1",
                b"GET http://[::1/livez HTTP/1.1",
                b"GET a:443 HTTP/1.1",
            )
        ),
        b"\r\n\r\nGET /livez HTTP/1.1\r\n" + H + b"\r\n",
        b"\nGET /livez HTTP/1.1\r\n" + H + b"\r\n",
        b"\rGET /livez HTTP/1.1\r\n" + H + b"\r\n",
    )
    yield from _served("request line: one empty line before it (RFC 9112, 2.2)", b"\r\n" + get())
    yield from _served("request line: a later minor version", get(line=b"GET /livez HTTP/1.2"))
    unknown = (b"get", b"Get", b"FOO", b"PRI", b"G" * 9000)
    yield from _of("method: unknown", *(get(line=m + b" /livez HTTP/1.1") for m in unknown), statuses=(501,))
    yield from _of("method: CONNECT", get(line=b"CONNECT a:443 HTTP/1.1"), statuses=(501,))
    long = get(line=b"GET /" + b"a" * 9000 + b" HTTP/1.1")
    yield from _of("target: 9,000 bytes", long, statuses=(414,))
    longest = get(line=b"GET /" + b"a" * (8192 - len("GET / HTTP/1.1")) + b" HTTP/1.1")
    yield from _served("target: the longest there may be", longest, status=404)
    later = (b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.0")
    yield from _of("version: another", *(get(line=b"GET /livez " + v) for v in later), statuses=(505,))
    yield from _of("version: HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", statuses=(505,))


def _hosts() -> Iterator[Case]:
    bad = (
        b'|a b|a/b|u@a|a?b|a#b|a\\b|a:x|a:80:80|a:99999|a:-1|[::1|::1]|[::g]|[]|[::1]x|%zz|a%|"a"|<a>|a\xc3\xa9|:80|a\t'
    )
    yield from _of("Host: X", *(get(b"Host: " + host + b"\r\n") for host in bad.split(b"|") if host != b"a\t"))
    yield from _of(
        "Host: X", get(b""), get(H + H), get(H + b"Host: b\r\n"), get(H + b"hOST: a\r\n"), get(b"Host : a\r\n")
    )
    yield from _of("Host: X", get(b"", line=b"GET http://a/livez HTTP/1.1"), get(H, line=b"GET http:// HTTP/1.1"))
    good = (b"a", b"A.b-c_d", b"a:80", b"a:", b"127.0.0.1:8000", b"[::1]", b"[::1]:80", b"a\t", b"%41", b"a,b")
    yield from _served("Host: good", *(get(b"Host: " + host + b"\r\n") for host in good))
    yield from _served("target: absolute form", get(line=b"GET http://b/livez HTTP/1.1"))
    yield from _served("target: absolute form", get(line=b"GET HTTPS://b:1/livez?x HTTP/1.1"))


def _old_version() -> Iterator[Case]:
    old = b"GET /livez HTTP/1.0"
    yield from _of("HTTP/1.0: served, close", get(b"", line=old), get(H, line=old), statuses=(200,))
    yield from _served("HTTP/1.0: keep-alive", get(b"Connection: keep-alive\r\n", line=old))
    yield from _of("HTTP/1.0: chunked", get(C, line=old), get(C + b"Connection: keep-alive\r\n", line=old))


def _fields() -> Iterator[Case]:
    yield from _of(
        "fields: X",
        *(
            get(H + field)
            for field in (
                b"X : y\r\n",
                b"X\t: y\r\n",
                b" X: y\r\n",
                b"X: y\r\n z\r\n",
                b"X: y\r\n\tz\r\n",
                b"X: y\r\n \r\n",
                b"X\r\n",
                b": y\r\n",
                b"X: y\n",
                b"X: y\n\r\n",
                b"X: a\rb\r\n",
                b"X: a\r\r\n",
                b"X: a\0b\r\n",
                b"X: a\x0bb\r\n",
                b"X: a\x7fb\r\n",
                b"X: \x1b[31m\r\n",
                b"X\0: y\r\n",
                b"X(): y\r\n",
                b"X/Y: y\r\n",
                b'"X": y\r\n',
                b"X\xc3\xa9: y\r\n",
                b"X\x80: y\r\n",
                b"X\xa0: y\r\n",
                b"X\x85Y: y\r\n",
                b"@: y\r\n",
                b"X{}: y\r\n",
                b"\rX: y\r\n",
                b"\nX: y\r\n",
                b"X: y\n\nGET /hidden HTTP/1.1\r\n",
            )
        ),
        get(b" X: y\r\n" + H),
        get(b"\tHost: a\r\n"),
        b"GET /livez HTTP/1.1\n" + H + b"\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\n\r\n",
        b"GET /livez HTTP/1.1\nHost: a\n\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\n\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\r\n\r\n",
    )
    good = (b"X:y", b"X:", b"X: \t y \t ", b"X: \xc3\xa9\xff", b"!#$%&'*+-.^_`|~09Az: y", b"X: a\tb", b"X:y\r\nX:z")
    yield from _served("fields: good", *(get(H + field + b"\r\n") for field in good))
    for name in (b"X-Request-ID", b"Authorization", b"Content-Type", b"Idempotency-Key", b"traceparent"):
        yield from _of("fields: one that may come once comes twice", get(H + (name + b": x\r\n") * 2))
    yield from _served("fields: 64", get(H + b"X: y\r\n" * 63))
    yield from _of("fields: 65", get(H + b"X: y\r\n" * 64), statuses=(431,))
    yield from _of("fields: 17 KiB", get(H + b"X: " + b"y" * 17 * 1024 + b"\r\n"), statuses=(431,))
    yield from _of("fields: 17 KiB", get(H + b"X-%d: y\r\n" * 17 * 128 % (*range(17 * 128),)), statuses=(431,))
    yield from _served("fields: 16 KiB", get(H + b"X: " + b"y" * (16 * 1024 - len(H) - 5) + b"\r\n"))
    yield from _of(
        "Connection: close", get(H + b"Connection: close\r\n"), get(H + b"Connection: x, CLOSE\r\n"), statuses=(200,)
    )
    yield from _served("Connection: others", get(H + b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n"))


def _lengths() -> Iterator[Case]:
    bad = [
        b"+5",
        b"-5",
        b"0x5",
        b"1_0",
        b"5 5",
        b"",
        b"5,5",
        b"5, 5",
        b"5,",
        b"5.0",
        b"5e0",
        b'"5"',
        b"5;",
        b"five",
        b"\xa05",
    ]
    bad += ["٥".encode(), "５".encode(), b"5\x0b", b"5\0", b"\xb2", b"5\xa0"]
    yield from _of("Content-Length: X", *(post(b"Content-Length: %b\r\n" % value, b"hello") for value in bad))
    two = (b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 5\r\nContent-Length: 5\r\n")
    yield from _of("Content-Length: two lines", *(post(fields, b"hello") for fields in two))
    yield from _of("Content-Length: and chunked", *(_both(first) for first in (True, False)))
    over = [BODY_LIMIT + 1, 2**31, 2**63, 2**64 + 28, 10**25, 10**4400]
    over_raws = [
        post(b"Content-Length: " + b"9" * 4400 + b"\r\n") if size > 10**30 else post(b"Content-Length: %d\r\n" % size)
        for size in over
    ]
    yield from _of("Content-Length: over the limit", *over_raws, statuses=(413,))
    yield from _queued(
        "Content-Length: good",
        counted(JOB),
        counted(JOB + b" " * 50),
        post(b"Content-Length: 000%d\r\n" % len(JOB), JOB),
    )
    yield from _queued("Content-Length: good", post(b"Content-Length: \t %d \t\r\n" % len(JOB), JOB))
    hidden = b"Content-Length: %d\r\n" % len(HIDDEN)
    yield from _served(
        "a GET in a body", get(H + hidden) + HIDDEN, get(H + hidden, line=b"GET /livez?q HTTP/1.1") + HIDDEN
    )
    yield from _served("a GET in a body", get(H + C) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN))
    yield from _served("a GET in a body", counted(HIDDEN), status=400)
    yield from _of("a refused request's body", post(hidden, HIDDEN, line=b"POST /none HTTP/1.1"), statuses=(404,))
    yield from _of("a refused request's body", get(H + hidden, line=b"POST /livez HTTP/1.1") + HIDDEN, statuses=(405,))
    yield from _of(
        "a refused request's body", get(H + hidden, line=b"POST /api/jobs HTTP/1.1") + HIDDEN, statuses=(415,)
    )
    yield from _of("a refused request's body", get(H + hidden, line=b"OPTIONS * HTTP/1.1") + HIDDEN, statuses=(204,))


def _both(is_length_first: bool) -> bytes:
    fields = [b"Content-Length: 5\r\n", C]
    return post(b"".join(fields if is_length_first else reversed(fields)), b"0\r\n\r\n" + HIDDEN)


def _codings() -> Iterator[Case]:
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(JOB), JOB)
    bad = (
        rb'chunked, gzip|xchunked|identity||chunked, chunked|chunked,|,chunked|chunked;q=1|"chunked"|chun ked|gzip'
        b"|chunked, identity|chunked\x0b|\xa0chunked"
    )
    yield from _of("Transfer-Encoding: X", *(post(b"Transfer-Encoding: %b\r\n" % v, body) for v in bad.split(b"|")))
    yield from _of("Transfer-Encoding: X", post(C + C, body), post(b"Transfer-Encoding : chunked\r\n", body))
    yield from _of(
        "Transfer-Encoding: X",
        post(b"Transfer-Encoding:\r\n chunked\r\n", body),
        post(b"Transfer-Encoding: gzip\r\n" + C, body),
    )
    yield from _of("Transfer-Encoding: X", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", body))
    yield from _of(
        "Transfer-Encoding: unknown codings", post(b"Transfer-Encoding: gzip, chunked\r\n", body), statuses=(501,)
    )
    yield from _queued("Transfer-Encoding: good", post(b"transfer-encoding:CHUNKED\r\n", body), chunked(JOB))


def _chunks() -> Iterator[Case]:
    size, end = b"%x" % len(JOB), b"\r\n0\r\n\r\n"
    good = (
        size + b"\r\n" + JOB + end,
        size.upper() + b"\r\n" + JOB + end,
        b"00000000000000" + size + b"\r\n" + JOB + end,
        size + b";a=b\r\n" + JOB + end,
        size + b' ; a = "b;\\"c" ;d\r\n' + JOB + end,
        b"1\r\n{\r\n%x\r\n%b" % (len(JOB) - 1, JOB[1:]) + end,
        b"".join(b"1\r\n%c\r\n" % byte for byte in JOB) + end[2:],
        size + b"\r\n" + JOB + b"\r\n000\r\n\r\n",
        size + b"\r\n" + JOB + b"\r\n0;last\r\n\r\n",
        size + b"\r\n" + JOB + b"\r\n0\r\nX-Trailer: y\r\n\r\n",
        size
        + b"\r\n"
        + JOB
        + b"\r\n0\r\nAuthorization: x\r\nContent-Length: 5\r\nHost: b\r\nTransfer-Encoding: x\r\n\r\n",
    )
    yield from _queued("chunks: good", *(post(C, body) for body in good))
    sizes = [
        b"0x" + size,
        b"+" + size,
        b"-" + size,
        size + b"_0",
        b" " + size,
        size + b" ",
        b"",
        b"0" * 15 + size,
        b"g",
        size + b"h",
    ]
    sizes += [
        size + b";",
        size + b";=b",
        size + b";a=",
        size + b";a b",
        size + b",a",
        size + b";a=\x00",
        size + b";" + b"a" * 65536,
    ]
    sizes += [b"\t" + size, size + b"\t", "٥".encode(), size + b";\xff=1", size + b';a="']
    yield from _of("chunks: X", *(post(C, value + b"\r\n" + JOB + end) for value in sizes))
    yield from _of(
        "chunks: X",
        post(C, size + b"\n" + JOB + end),
        post(C, size + b"\r" + JOB + end),
        post(C, size + b";a\n\r\n" + JOB + end),
        post(C, b"5\r\n" + JOB + end),
        post(C, size + b"\r\n" + JOB + b"\n0\r\n\r\n"),
        post(C, size + b"\r\n" + JOB + b"0\r\n\r\n"),
        post(C, size + b"\r\n" + JOB + b"\r\n0\n\n"),
        post(C, size + b"\r\n" + JOB + b"\r\n0\r\n\n" + HIDDEN),
        post(C, size + b"\r\n" + JOB + b"\r\n0\r\n X: y\r\n\r\n"),
        post(C, size + b"\r\n" + JOB + b"\r\n0\r\nX : y\r\n\r\n"),
        post(C, size + b"\r\n" + JOB + b"\r\n0\r\nX: y\r\n z\r\n\r\n"),
        post(C, size + b"\r\n" + JOB + b"\r\n0\r\nX\r\n\r\n"),
        post(C, b"0\r\n" + HIDDEN),
    )
    yield from _of(
        "chunks: over the limit", post(C, b"%x\r\n" % (BODY_LIMIT + 1)), post(C, b"f" * 16 + b"\r\n"), statuses=(413,)
    )
    trailers = b"0\r\n" + b"X: y\r\n" * 65 + b"\r\n", b"0\r\nX: " + b"y" * 17 * 1024 + b"\r\n\r\n"
    yield from _of("chunks: trailers over the limit", *(post(C, body) for body in trailers), statuses=(431,))


def _expectations() -> Iterator[Case]:
    expect = b"Expect: 100-continue\r\n"
    over, short = b"Content-Length: %d\r\n" % (BODY_LIMIT + 1), b"Content-Length: 5\r\n"
    yield from _of("Expect: too large, no 100", post(expect + over), statuses=(413,))
    yield from _of("Expect: nothing there, no 100", post(expect + short, line=b"POST /none HTTP/1.1"), statuses=(404,))
    yield from _of(
        "Expect: wrong type, no 100", get(H + expect + short, line=b"POST /api/jobs HTTP/1.1"), statuses=(415,)
    )
    yield from _of(
        "Expect: another",
        post(b"Expect: foo\r\n" + short, b"hello"),
        post(b"Expect: 100-continue, x\r\n"),
        statuses=(417,),
    )
    yield from _served("Expect: without a body", get(H + expect), get(H + expect + b"Content-Length: 0\r\n"))


def _methods() -> Iterator[Case]:
    yield from _served("OPTIONS", get(line=b"OPTIONS * HTTP/1.1"), get(line=b"OPTIONS http://a HTTP/1.1"), status=204)
    yield from _served(
        "OPTIONS", get(line=b"OPTIONS /livez HTTP/1.1"), get(line=b"OPTIONS /api/jobs HTTP/1.1"), status=204
    )
    yield from _served("OPTIONS", get(line=b"OPTIONS /none HTTP/1.1"), status=404)
    yield from _served("TRACE", get(H + b"X-Secret: sesame\r\n", line=b"TRACE /livez HTTP/1.1"), status=405)
    for method in (b"PUT", b"PATCH", b"QUERY", b"PROPFIND", b"DELETE", b"TRACE"):
        yield from _served("method: not here", get(line=method + b" /api/jobs HTTP/1.1"), status=405)
    yield from _served("HEAD", get(line=b"HEAD /livez HTTP/1.1"), get(line=b"HEAD /openapi.yaml HTTP/1.1"))
    yield from _of("HEAD: X, and no body", get(b"", line=b"HEAD /livez HTTP/1.1"), get(line=b"HEAD /li vez HTTP/1.1"))
    yield from _served("HEAD", get(line=b"HEAD /none HTTP/1.1"), status=404)


def _pipelines() -> Iterator[Case]:
    yield from _of(
        "pipeline: in order",
        get() + get(line=b"GET /none HTTP/1.1") + get(line=b"GET /readyz HTTP/1.1"),
        statuses=(200, 404, 200),
        closes=False,
    )
    yield from _of("pipeline: a GET, then garbage", get() + b"garbage\r\n\r\n", statuses=(200, 400))
    yield from _of("pipeline: close, then another", get(H + b"Connection: close\r\n") + get(), statuses=(200,))
    yield from _of("pipeline: a POST, then a bad one", counted(b"[]") + get(b""), statuses=(422, 400))
    yield Case("pipeline: in order", chunked(JOB) + counted(JOB) + get(), (202, 202, 200), closes=False, jobs=2)
    yield Case("pipeline: a POST, then garbage", counted(JOB) + b"\0", (202, 400), jobs=1)


def _paths() -> Iterator[Case]:
    nowhere = (
        rb"/../etc/passwd|/%2e%2e/|/..%2f|/%2e%2e%2fetc%2fpasswd|/%00|/livez%00|/%c0%ae%c0%ae/etc/passwd|/livez/|//livez|/./livez"
        rb"|/livez/../livez|/%6civez|/livez;x=1|/LIVEZ|/openapi.yaml/|/api/jobs/../jobs|/server.py|/.env|/api/jobs/%0d%0aX:%20y"
        rb"|/api/jobs/..%2f..|/api/queues/..|/api/queues/%00|/api/queues/EMAIL|/api/jobs/x/logs|/api|/api/|/~root|//etc/passwd"
    )
    yield from _served(
        "path: nothing there", *(get(line=b"GET %b HTTP/1.1" % path) for path in nowhere.split(b"|")), status=404
    )
    yield from _served(
        "query: elsewhere ignored", get(line=b"GET /livez? HTTP/1.1"), get(line=b"GET /livez?x=%0d%0a&x HTTP/1.1")
    )
    wrong = (
        b"x=1|limit=1&limit=|limit=%31%30x|limit=-1|limit=+5|limit=1_0|limit=%d9%a1|limit=201|state=%00|queue=.."
        b"|cursor=!!|cursor=%00|%ff=1"
    )
    yield from _served(
        "query: refused under /api",
        *(get(line=b"GET /api/jobs?%b HTTP/1.1" % q) for q in wrong.split(b"|")),
        status=422,
    )


def _bodies() -> Iterator[Case]:
    types = (
        b"text/plain",
        b"application/jsonx",
        b"application/json; charset=utf-16",
        b"multipart/form-data; boundary=x",
        b"",
    )
    bad_types = [JSON.replace(b"application/json", kind) for kind in types]
    encoded = [JSON + b"Content-Encoding: %b\r\n" % coding for coding in (b"gzip", b"identity, gzip", b"br")]
    for fields in [*bad_types, *encoded, b""]:
        raw = b"POST /api/jobs HTTP/1.1\r\n" + H + fields + b"Content-Length: %d\r\n\r\n" % len(JOB) + JOB
        yield Case("body: type or coding", raw, (415,))
    yield from _served(
        "body: not JSON",
        *(
            counted(body)
            for body in (
                b"",
                b" ",
                b"{",
                b"nul",
                JOB + JOB,
                JOB + b"\0",
                JOB.decode().encode("utf-16"),
                JOB.decode().encode("utf-16-le"),
                JOB.decode().encode("utf-32"),
                b"\xef\xbb\xbf" + JOB,
                b'{"type":"noop","type":"noop","payload":{}}',
                b'{"type":"noop","payload":{"a":1,"\\u0061":2}}',
                b'{"type":"noop","payload":NaN}',
                b'{"type":"noop","payload":{"seconds":-Infinity}}',
                b'{"type":"echo","payload":{"n":1e999}}',
                b'{"type":"echo","payload":{"n":-1e999}}',
                b'{"type":"echo","payload":{"n":' + b"9" * 5000 + b"}}",
                b'{"type":"echo","payload":{"s":"\\ud800"}}',
                b'{"type":"echo","payload":{"\\udfff":1}}',
                b'{"type":"echo","payload":{"s":"\xed\xa0\x80"}}',
                b'{"type":"echo","payload":{"s":"\xc0\xae"}}',
                b'{"type":"echo","payload":{"s":"\xff"}}',
                b'{"type":"echo","payload":{"s":"\x00"}}',
                b'{"type":"echo","payload":{"s":"a\nb"}}',
                b'{"type":"echo","payload":{"n":01}}',
                b"[" * 100_000 + b"]" * 100_000,
                b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
                b"[" * 200_000,
                b"[" * 101 + b'"' + b'\\"' * 100_000,
                b"{" + b",".join(b'"%d":0' % number for number in range(20_000)) + b',"19999":0}',
            )
        ),
        status=400,
    )
    wrong = (b"[]", b"null", b"1", b'"x"', b"{}", b'{"type":"none","payload":{}}', b'{"type":"noop","payload":{"x":1}}')
    yield from _served("body: wrong fields", *(counted(body) for body in wrong), status=422)
    depth = b'{"type":"echo","payload":' + b'{"a":' * 98 + b"{}" + b"}" * 98 + b"}"
    yield from _queued("body: good", counted(depth), counted(b'{"type":"echo","payload":{"n":' + b"9" * 1000 + b"}}"))
    for key in (b"", b'""', b"a b", b'"a', b'a"', b"x" * 256, b"\xc3\xa9", b"a\tb", b'"a\\"b"'):
        yield Case("Idempotency-Key: refused", counted(JOB, b"Idempotency-Key: %b\r\n" % key), (422,), closes=False)


def _noise() -> Iterator[Case]:
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2
    yield from _of("noise", hello, bytes(range(256)) * 256, b"\xff" * 65536, b"\0", b"\x80\x9e\x01\x03\x01")


CASES: Sequence[Case] = (
    *_request_line(),
    *_hosts(),
    *_old_version(),
    *_fields(),
    *_lengths(),
    *_codings(),
    *_chunks(),
    *_expectations(),
    *_methods(),
    *_pipelines(),
    *_paths(),
    *_bodies(),
    *_noise(),
)
