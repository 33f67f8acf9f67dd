"""E-mails a second to an SMTP server on this machine, 20 at a time, beside what smtplib alone reaches with it.

Once to one that costs next to nothing, once (where it is installed) to a Postfix. Waybill composes each mail, with an
id of its own. Beside it stands smtplib with one letter composed beforehand, which is the most that it can do, and with
a mail that email.message composes each time.
"""

import json
import subprocess
import sys
from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.fill import fill
from tests.bench.mail_sink import mail_sink
from tests.bench.postfix import is_here, postfix
from tests.bench.posts import MODULES
from tests.bench.smtplib_alone import PAYLOAD
from tests.bench.spent import drain
from tests.private_redis import PrivateRedis
from tests.processes import Worker

MAILS = 10_000
POSTFIX_MAILS = 3_000
AT_ONCE = 20
LIMIT_S = 120.0
WARM = 10 * AT_ONCE
"""So many are sent before the clock begins to run: smtplib's begins when all of its connections stand."""


def run(*, is_quick: bool) -> Iterator[Figure]:
    part = 10 if is_quick else 1
    for name, rate in (("rate", waybill_rate), ("smtplib", smtplib_rate), ("smtplib_composing", _composing_rate)):
        with mail_sink() as sink:
            per_s = rate(sink.port, MAILS // part)
            if (taken := sink.close()) < MAILS // part:
                sys.exit(f"{MAILS // part} mails were sent, and the SMTP server took {taken}")
        yield Figure(f"mails.{name}", per_s, "mails/s")
        if is_here():
            with postfix() as port:
                yield Figure(f"mails.postfix_{name}", rate(port, POSTFIX_MAILS // part), "mails/s")


def waybill_rate(port: int, mails: int) -> float:
    """From jobs that wait to completed ones; each mail is composed, logged, and its result kept."""
    with PrivateRedis(aof="everysec") as redis:
        fill(redis, mails, PAYLOAD, "email")
        settings = {"WORKER_QUEUES": f"email={AT_ONCE}", "SMTP_URL": f"smtp://127.0.0.1:{port}"}
        with Worker(redis.url, JOB_MODULES=MODULES, **settings):
            return drain(redis, mails - WARM, queues=["email"], already=WARM).per_s


def smtplib_rate(port: int, mails: int, *how: str) -> float:
    command = [sys.executable, "-m", "tests.bench.smtplib_alone", str(port), str(AT_ONCE), str(mails), *how]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S).stdout
    return float(json.loads(said)["per_s"])


def _composing_rate(port: int, mails: int) -> float:
    return smtplib_rate(port, mails, "composing")
