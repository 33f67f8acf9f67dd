"""For the tests of the email job: a job's context, a loop that lives as long as a test, SMTP servers and mailers.

server = self.serve("--smtputf8")
result = self.send_email(Context(self.mailer(server.url())), email("jane@x.example", html="<p>Hi"))
(mail,) = server.mails()
"""

import asyncio
import json
import tempfile
import time
import unittest
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from lib.handlers.email import Email, send_email
from lib.handlers.email.address_lists import Addressees
from lib.handlers.email.mailer import Mailer
from lib.jobs.result import result_text
from lib.settings import config
from tests.smtp_server import SmtpServer

T = TypeVar("T")
JOB_ID = "email-019a0000000070008000000000000001"


@dataclass
class Context:
    """A job's context, as a runner gives it to the handler. lines: logged by `log`; told: the events of `tell`."""

    mailer: Mailer
    job_id: str = JOB_ID
    request_id: str = "request-1"
    traceparent: str = ""
    attempt: int = 1
    max_attempts: int = 5
    timeout_s: float = 60
    is_last_attempt: bool = False
    scheduled_for: datetime | None = None
    cancelled: bool = False
    stopping: bool = False
    lines: list[str] = field(default_factory=list)
    last_checkpoint: Any = None
    told: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)
    settings: config.Settings | None = None

    def log(self, text: str) -> None:
        self.lines.append(text)

    def tell(self, event: str, msg: str, **fields: object) -> None:
        self.told.append((event, msg, fields))

    def progress(self, fraction: float, note: str = "") -> None:
        raise AssertionError("a mail has no progress")

    def checkpoint(self, state: Any) -> None:
        """Keep the checkpoint for the next attempt, through the JSON in which Redis would keep it."""
        self.last_checkpoint = json.loads(result_text(state)) if state is not None else None

    def enqueue(self, type: str, payload: dict[str, Any], **options: Any) -> Any:
        raise AssertionError("a mail queues nothing")

    def workflow(self, jobs: dict[str, Any], **options: Any) -> Any:
        raise AssertionError("a mail starts no workflow")

    def add(self, name: str, type: str, payload: dict[str, Any], **options: Any) -> Any:
        raise AssertionError("a mail adds no job")

    def results(self) -> Any:
        raise AssertionError("a mail asks for no results")

    def callback_key(self) -> Any:
        raise AssertionError("a mail waits for no callback")

    def resource(self, factory: Callable[[Any], T]) -> T:
        return cast(T, self.mailer) if factory is cast(Any, Mailer) else factory(self.settings)


def settings(**values: str) -> config.Settings:
    return config.load({"MAIL_FROM": "Waybill <waybill@example.com>", **values}, Path(tempfile.gettempdir()) / "none")


def email(to: Addressees | list[str] = "test@gmail.com", **fields: Any) -> Email:
    return Email(to=cast(Addressees, to), subject="Hi", **{"text": "Hello", **fields})


class LoopCase(unittest.TestCase):
    """One loop for the whole of a test, as in a runner: SMTP sessions stay open from one mail to the next."""

    def setUp(self) -> None:
        self.loop = self.enterContext(asyncio.Runner())

    def send_email(self, context: Context, payload: Email) -> dict[str, Any]:
        return self.loop.run(send_email(context, payload))


class WireCase(LoopCase):
    def serve(self, *options: str, **how: Any) -> SmtpServer:
        return self.enterContext(SmtpServer(*options, **how))

    def mailer(self, url: str, **how: Any) -> Mailer:
        mailer = Mailer(settings(SMTP_URL=url), **how)
        self.addCleanup(mailer.close)
        return mailer

    async def until(self, server: SmtpServer, count: str, wanted: int) -> None:
        """Wait until a count of the server is `wanted`, while the loop goes on."""
        give_up_s = time.monotonic() + 10
        while server.counts()[count] != wanted:
            self.assertLess(time.monotonic(), give_up_s, f"{count} is not {wanted}: {server.counts()}")
            await asyncio.sleep(0.005)
