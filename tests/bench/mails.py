"""E-mails a second to an SMTP server on this machine, 20 at a time, beside what smtplib alone reaches with it."""

import json
import subprocess
import sys
from collections.abc import Iterator

from tests.bench.figure import Figure
from tests.bench.mail_sink import mail_sink
from tests.bench.posts import MODULES
from tests.bench.smtplib_alone import PAYLOAD
from tests.bench.spent import drain
from tests.bench.work import fill
from tests.private_redis import PrivateRedis
from tests.processes import Worker

MAILS = 10_000
AT_ONCE = 20


def run(*, is_quick: bool) -> Iterator[Figure]:
    mails = MAILS // (10 if is_quick else 1)
    yield Figure("mails.rate", waybill_rate(mails), "mails/s")
    yield Figure("mails.smtplib", smtplib_rate(mails), "mails/s")


def waybill_rate(mails: int) -> float:
    """From jobs that wait to completed ones; each mail is composed, logged, and its result kept."""
    with PrivateRedis(aof="everysec") as redis, mail_sink() as sink:
        fill(redis, mails, PAYLOAD, "email")
        settings = {"WORKER_QUEUES": f"email={AT_ONCE}", "SMTP_URL": f"smtp://127.0.0.1:{sink.port}"}
        with Worker(redis.url, JOB_MODULES=MODULES, **settings):
            drained = drain(redis, mails, queues=["email"])
        if (taken := sink.close()) < mails:
            sys.exit(f"{mails} mails are completed, and the SMTP server took {taken}")
    return drained.per_s


def smtplib_rate(mails: int) -> float:
    with mail_sink() as sink:
        command = [sys.executable, "-m", "tests.bench.smtplib_alone", str(sink.port), str(AT_ONCE), str(mails)]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return float(json.loads(said)["per_s"])
