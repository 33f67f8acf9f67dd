"""The ids of requests, jobs and runners. Pure: the clock and the random source come in by the constructor.

ba7c9e41-b433-4043-81c9-749d9397f8da         a request's: given by the caller, or a new uuid4
email-019b2f0e1a2c8000a1b2c3d4e5f6ffea       a job's: its queue, and a UUID of version 8; see below
web-3.example.4711.9f86d081                  a runner's: host, pid and 8 random digits, new at every start

The 32 digits of a job's id (RFC 9562, 5.8: what the bits of version 8 mean is ours to say):

    019b2f0e1a2c   48 bits   ms since 1970
    8               4 bits   the version
    000            12 bits   the count of the ids of this ms; in a derived id bits of a hash
    a1b2c3d4e5f6   48 bits   the variant (2 bits), and 46 random bits; in a derived id bits of the hash
    ffea           16 bits   the mark of the request: crc32 of the request id, the lower half

By the mark a search for the jobs of a request looks at ids alone, and reads the specs of one in 65,536 other jobs.
WHY not more bits for it: two ids are the same only if time, count, mark and all random bits are. With 46 of them, four
processes that take in 10,000 jobs a second each, all of one request, meet once in some 37 years; with 30 it would be
hours. Ids that 0.2.0 and older versions made end in random digits: those of version 7, and those of version 8 of jobs
that were enqueued under a name (`once`).
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from itertools import chain
from zlib import crc32

QUEUE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
JOB_ID = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})-([0-9a-f]{32})")
ID_DIGITS = 32
"""With which a job's id ends."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}  # RFC 9562, 4.1
_ABOVE = 1 << 32
_ALONE = ".alone"  # reap.lua reads this end off a runner's id.
_HOST_UNSAFE = re.compile(r"[^a-z0-9.]+")


def uuid4_of(digits: str) -> str:
    """The uuid4 made of 32 random hex digits. (uuid.uuid4() takes three times as long.)"""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"


def is_request_id(text: str) -> bool:
    """Whether a caller's X-Request-ID is fit for a log line."""
    return _REQUEST_ID.fullmatch(text) is not None


def random_digits(count: int, random_bytes: Callable[[int], bytes] = os.urandom) -> Iterator[str]:
    """Texts of `count` random hex digits (an even number), without end. For one thread. Random bytes are got for many
    texts at once."""
    return chain.from_iterable(_many_digits(count, random_bytes))


def _many_digits(count: int, random_bytes: Callable[[int], bytes]) -> Iterator[list[str]]:
    """WHY lists: chain takes a text from a list in a quarter of the time that a generator takes to yield one."""
    while True:
        digits = random_bytes(count * 64).hex()
        yield [digits[at : at + count] for at in range(0, len(digits), count)]


def queue_of(job_id: str) -> str | None:
    """The queue that a job id names; None where the text can't be a job id."""
    match = JOB_ID.fullmatch(job_id)
    return match[1] if match else None


def id_ms(job_id: str) -> int | None:
    """When the id was made, in ms since 1970 by its maker's clock; None for a text that is no job id."""
    found = JOB_ID.fullmatch(job_id)
    return int(found[2][:12], 16) if found else None


def request_mark(request_id: str) -> str:
    """The four digits in which the ids of a request's jobs end."""
    # WHY no format: it takes half as long again. The bit above all others gives hex() eight digits of crc32, or more.
    return hex(crc32(request_id.encode()) | _ABOVE)[-4:]


def derived_id(queue: str, anchor_id: str, name: str, request_id: str) -> str:
    """The id of the job that belongs to the job `anchor_id` under `name`, the same at every call: a job that a handler
    enqueues under a name (`once`), or a job of a graph. Its time is that of anchor_id."""
    digits = hashlib.sha256(f"{anchor_id} {name}".encode()).hexdigest()
    time = anchor_id[-32:-20]
    return f"{queue}-{time}8{digits[:3]}{_VARIANTS[digits[3]]}{digits[4:15]}{request_mark(request_id)}"


def derived_request_id(schedule: str, version: int, slot_ms: int) -> str:
    """The request id of the job of one slot of a schedule: the same whoever makes it.

    UUID version 8 (RFC 9562, 5.8): 48 bits of the slot's ms, the rest of SHA-256 over all three.
    """
    digits = hashlib.sha256(f"schedule {schedule} {version} {slot_ms}".encode()).hexdigest()
    time_ms = f"{slot_ms:012x}"
    return f"{time_ms[:8]}-{time_ms[8:]}-8{digits[:3]}-{_VARIANTS[digits[3]]}{digits[4:7]}-{digits[7:19]}"


def new_runner_id(host: str, pid: int, *, is_alone: bool = False) -> str:
    """`<host>.<pid>.<8 hex>`: readable in a log, and never the same twice.

    is_alone: the runner runs a single job in isolation. Its id ends in `.alone`, by which `reap.lua` knows that a crash
    is that job's own doing.
    """
    name = _HOST_UNSAFE.sub("-", host.lower())[:48] or "host"
    return f"{name}.{pid}.{os.urandom(4).hex()}" + (_ALONE if is_alone else "")


def is_alone(runner_id: str) -> bool:
    """Whether this is the id of an isolation runner, which runs a single job."""
    return runner_id.endswith(_ALONE)


def wall_ms() -> int:
    """This host's clock, in ms since 1970. It is used for ids alone; every decision goes by Redis' TIME."""
    return time.time_ns() // 1_000_000


class JobIds:
    """Makes job ids, `<queue>-<32 hex>` as above, ascending within one process.

    The count of the ids of one millisecond is method 1 of RFC 9562, 6.2.
    """

    def __init__(
        self, clock_ms: Callable[[], int] = wall_ms, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._clock_ms = clock_ms
        self._digits = random_digits(12, random_bytes)
        self._last_ms = -1
        self._sequence = 0
        self._time = ""
        self._request_id = ""
        self._mark = request_mark("")

    def new(self, queue: str, request_id: str) -> str:
        """A new job's id."""
        now_ms = self._clock_ms()
        if now_ms > self._last_ms:
            self._begin(now_ms)
        else:
            # The clock stood still or went back: count on, and take the next millisecond when the count is full.
            self._sequence += 1
            if self._sequence > 0xFFF:
                self._begin(self._last_ms + 1)
        if request_id != self._request_id:
            # A batch of a million jobs has one request id.
            self._request_id, self._mark = request_id, request_mark(request_id)
        digits = next(self._digits)
        return f"{queue}-{self._time}{self._sequence:03x}{_VARIANTS[digits[0]]}{digits[1:]}{self._mark}"

    def _begin(self, ms: int) -> None:
        self._last_ms, self._sequence = ms, 0
        self._time = f"{ms:012x}8"
