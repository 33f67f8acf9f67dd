"""What smtplib reaches with nothing around it: threads that each keep one connection and send mails over it.

    python -m tests.bench.smtplib_alone PORT THREADS MAILS [composing]

The same letter each time, composed once, as Waybill would; or with `composing` each mail by email.message, with an id
of its own, as a program without Waybill sends them. Prints {"per_s": N}, from the moment when all connections stand to
the last mail's 250.
"""

import json
import smtplib
import sys
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from lib.handlers.email import Email
from lib.handlers.email.letter import compose
from lib.handlers.email.mailbox import parse_mailbox

EMAIL = Email(to="test@gmail.com", subject="hi", text="x" * 450)
SENDER = "Waybill <waybill@localhost>"
PAYLOAD = {"to": EMAIL.to, "subject": EMAIL.subject, "text": EMAIL.text}


def rate(port: int, threads: int, mails: int, *, is_composing: bool) -> float:
    """Mails a second."""
    send = _composed if is_composing else _same_letter()
    stand = threading.Barrier(threads + 1)
    share = mails // threads
    workers = [threading.Thread(target=_send, args=(port, send, share, stand)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    stand.wait()
    began_s = time.perf_counter()
    for worker in workers:
        worker.join()
    return share * threads / (time.perf_counter() - began_s)


def _send(port: int, send: Callable[[smtplib.SMTP], object], mails: int, stand: threading.Barrier) -> None:
    # local_hostname is given, lest smtplib ask the DNS for it.
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as smtp:
        smtp.ehlo()
        stand.wait()
        for _ in range(mails):
            send(smtp)


def _same_letter() -> Callable[[smtplib.SMTP], object]:
    job_id = f"email-{0:032x}"
    letter = compose(EMAIL, sender=parse_mailbox(SENDER), job_id=job_id, request_id="r" * 36, now_s=time.time())
    return lambda smtp: smtp.sendmail(letter.sender, letter.recipients, letter.content)


def _composed(smtp: smtplib.SMTP) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = SENDER, PAYLOAD["to"], PAYLOAD["subject"]
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain="localhost")
    mail.set_content(PAYLOAD["text"])
    smtp.send_message(mail)


if __name__ == "__main__":
    port, threads, mails = map(int, sys.argv[1:4])
    print(json.dumps({"per_s": rate(port, threads, mails, is_composing="composing" in sys.argv)}))
