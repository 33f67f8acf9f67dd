"""What smtplib reaches with nothing around it: threads that each keep one connection and send the same letter.

    python -m tests.bench.smtplib_alone PORT THREADS MAILS

The letter is the one that Waybill would send, composed once. Prints {"per_s": N}, from the moment when all connections
stand to the last mail's 250.
"""

import json
import smtplib
import sys
import threading
import time

from lib.handlers.email import Email, compose
from lib.handlers.letter import Letter
from lib.handlers.mailbox import parse_mailbox

EMAIL = Email(to="test@gmail.com", subject="hi", text="x" * 450)
PAYLOAD = {"to": EMAIL.to, "subject": EMAIL.subject, "text": EMAIL.text}


def rate(port: int, threads: int, mails: int) -> float:
    """Mails a second."""
    sender = parse_mailbox("Waybill <waybill@localhost>")
    job_id = f"email-{0:032x}"
    letter = compose(EMAIL, sender=sender, job_id=job_id, request_id="r" * 36, now_s=time.time())
    stand = threading.Barrier(threads + 1)
    share = mails // threads
    workers = [threading.Thread(target=_send, args=(port, letter, share, stand)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    stand.wait()
    began_s = time.perf_counter()
    for worker in workers:
        worker.join()
    return share * threads / (time.perf_counter() - began_s)


def _send(port: int, letter: Letter, mails: int, stand: threading.Barrier) -> None:
    # local_hostname is given, lest smtplib ask the DNS for it.
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as smtp:
        smtp.ehlo()
        stand.wait()
        for _ in range(mails):
            smtp.sendmail(letter.sender, letter.recipients, letter.content)


if __name__ == "__main__":
    print(json.dumps({"per_s": rate(*map(int, sys.argv[1:4]))}))
