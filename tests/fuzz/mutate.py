"""The table's requests, made wrong in ways that readers of HTTP have been known to differ about."""

from random import Random

from tests.wire.http_cases import FOLLOWER, HIDDEN, JOB, C, chunked, counted, get
from tests.wire.stream_cases import ALL_CASES, LINE, NDJSON, chunks, lines

RAWS = [case.raw for case in ALL_CASES if len(case.raw) < 3000]
LONG_RAWS = [case.raw for case in ALL_CASES if len(case.raw) >= 3000]
# One that the guarded server takes, and one that is nobody's.
KEY = b"wb_%b_%b" % (b"f" * 12, b"u" * 43)
NO_KEY = KEY.replace(b"u", b"z")
GOOD = [
    get(),
    FOLLOWER,
    counted(JOB),
    chunked(JOB),
    get(line=b"HEAD /livez HTTP/1.1"),
    counted(HIDDEN),
    chunked(HIDDEN),
    lines(LINE * 3),
    chunks(LINE, LINE + JOB[:9], JOB[9:]),
    lines(HIDDEN),
    chunks(b"[", JOB, b"]", kind=b"Content-Type: application/json\r\n"),
]
PIECES = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"=",
        b'"',
        b"\\",
        b"%",
        b"/",
        b"*",
        b"0",
        b"5",
        b"-",
        b"+",
    ),
    *(b"\x0b", b"\x0c", b"\x1e", b"\x7f", b"\x85", b"\xa0", b"\xff", b"\xc0\xae", b"\xe2\x80\xa8", "٥".encode()),
    *(
        b"\r\n\r\n",
        b"\r\n ",
        b"\r\n\t",
        b"\n\n",
        b"\r\r\n",
        b"0\r\n\r\n",
        b"0\r\n",
        b"5\r\nhello\r\n",
        b"ffffffffffffffff\r\n",
    ),
    *(
        C,
        b"Transfer-Encoding: ",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"transfer-encoding:chunked\r\n",
        b"chunked",
        b"TE: x\r\n",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 33\r\n",
        b"content-length:",
        b"Content_Length: 5\r\n",
    ),
    *(
        b"Host: b\r\n",
        b"Host:",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"Connection: Content-Length\r\n",
    ),
    *(
        b"Expect: 100-continue\r\n",
        b"Upgrade: h2c\r\n",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"HTTP/2.0",
        b"GET ",
        b"HEAD ",
        b"POST ",
    ),
    *(
        b"http://b",
        b"https://[::1]:1",
        b"/../",
        b"%2e%2e",
        b"%00",
        b"/api/jobs",
        b"/batch",
        NDJSON,
        LINE,
        b"Authorization: Bearer %b\r\n" % KEY,
        b"Authorization: Basic x\r\n",
        b"?wait=",
        b"NaN",
        b"\\ud800",
        b'{"a":',
        b"[",
    ),
    *(HIDDEN, get(), counted(JOB), chunked(JOB)),
]


def request(random: Random) -> bytes:
    """A connection's bytes: one to three requests of the table, with up to five faults."""
    raw = b"".join(_one(random) for _ in range(random.choice((1, 1, 2, 3))))
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 5))):
        raw = random.choice(MUTATIONS)(raw, random)
    return raw


def parts(raw: bytes, random: Random) -> list[bytes]:
    """The bytes as they are sent: mostly whole, else cut in up to four."""
    places = sorted(random.randrange(len(raw) + 1) for _ in range(random.choice((0, 0, 1, 2, 3))))
    return [raw[start:end] for start, end in zip([0, *places], [*places, len(raw)], strict=True)]


def _one(random: Random) -> bytes:
    kind = random.random()
    raw = random.choice(GOOD if kind < 0.4 else RAWS if kind < 0.97 else LONG_RAWS)
    key = random.choice((KEY, KEY, KEY, NO_KEY, b"", b""))
    return raw.replace(b"\r\n", b"\r\nAuthorization: Bearer %b\r\n" % key, 1) if key else raw


def _place(raw: bytes, random: Random) -> int:
    return random.randrange(len(raw) + 1)


def _span(raw: bytes, random: Random) -> tuple[int, int]:
    start = _place(raw, random)
    return start, min(len(raw), start + random.choice((1, 1, 2, 4, 16, 64)))


def _change_byte(raw: bytes, random: Random) -> bytes:
    place = _place(raw, random)
    return raw[:place] + bytes([random.randrange(256)]) + raw[place + 1 :]


def _flip_case(raw: bytes, random: Random) -> bytes:
    start, end = _span(raw, random)
    return raw[:start] + raw[start:end].swapcase() + raw[end:]


def _insert(raw: bytes, random: Random) -> bytes:
    place = _place(raw, random)
    return raw[:place] + random.choice(PIECES) + raw[place:]


def _insert_at_line(raw: bytes, random: Random) -> bytes:
    lines = raw.split(b"\r\n")
    place = random.randrange(len(lines))
    lines[place] = random.choice((random.choice(PIECES) + lines[place], lines[place] + random.choice(PIECES)))
    return b"\r\n".join(lines)


def _replace(raw: bytes, random: Random) -> bytes:
    start, end = _span(raw, random)
    return raw[:start] + random.choice(PIECES) + raw[end:]


def _remove(raw: bytes, random: Random) -> bytes:
    start, end = _span(raw, random)
    return raw[:start] + raw[end:]


def _repeat(raw: bytes, random: Random) -> bytes:
    start, end = _span(raw, random)
    return raw[:start] + raw[start:end] * random.choice((2, 2, 3, 17, 70, 1000)) + raw[end:]


def _repeat_line(raw: bytes, random: Random) -> bytes:
    lines = raw.split(b"\r\n")
    place = random.randrange(len(lines))
    return b"\r\n".join([*lines[:place], lines[place], *lines[place:]])


def _swap_lines(raw: bytes, random: Random) -> bytes:
    lines = raw.split(b"\r\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\r\n".join(lines)


def _count_wrong(raw: bytes, random: Random) -> bytes:
    places = [place for place, byte in enumerate(raw) if 0x30 <= byte <= 0x39]
    if not places:
        return raw
    place = random.choice(places)
    return raw[:place] + random.choice(b"0123456789abcdefABCDEF+-_ x".decode()).encode() + raw[place + 1 :]


def _splice(raw: bytes, random: Random) -> bytes:
    other = random.choice(RAWS)
    return raw[: _place(raw, random)] + other[_place(other, random) :]


def _truncate(raw: bytes, random: Random) -> bytes:
    return raw[: _place(raw, random)]


def _hide(raw: bytes, random: Random) -> bytes:
    head, found, body = raw.partition(b"\r\n\r\n")
    return head + found + HIDDEN + body


MUTATIONS = (
    _change_byte,
    _flip_case,
    _insert,
    _insert,
    _insert_at_line,
    _insert_at_line,
    _replace,
    _remove,
    _repeat,
    _repeat_line,
    _swap_lines,
    _count_wrong,
    _count_wrong,
    _splice,
    _truncate,
    _hide,
)
