"""A real SMTP server for tests: it keeps every mail, and misbehaves where a test asks for that.

    python -m tests.smtp_program --folder DIR [--port 0] [--tls starttls|implicit --cert FILE --key FILE]
                                [--user NAME --password WORD] [--auth "PLAIN LOGIN"] [--no-keep] [--control]
                                [--no-pipelining] [--smtputf8] [--byte-by-byte] [--most-recipients N] [--too-many REPLY]
                                [--greylist-s S] [--most-sessions N] [--most-per-s N]

The program prints {"port": N}, and then stores each mail as a line of DIR/mails.jsonl before it answers the mail. Tests
start it with `SmtpServer` of smtp_server.py. A test can make it misbehave in two ways:

1. By a recipient: `<phase>-<act>@…`, or `<phase>-<act>-once@…` for the first time that the address comes in that phase.
   Phases: rcpt, data (the command), sent (after the last dot). Acts: a code from 400 to 599, `drop` (hang up), `hang`
   (never answer), `lost` (keep the mail, then hang up), `endless` (one reply for ever). So `rcpt-450-once@x.example` is
   put off once, and `sent-lost@x.example` leaves the client in doubt.
2. By a rule for a phase, whoever the recipient is: `plan("connect", "421 busy")`. Phases: connect, ehlo, starttls,
   auth, mail, rcpt, data, sent, rset; content, in the middle of the mail (`drop`, or `hang`: read no further); nobody,
   a DATA without a recipient before it (`354 go on`). One more act: `late 250 ok` sends that reply when `answer()` is
   called.

Three options make it hold mails off as real servers do: --greylist-s puts off each mail's first try for so many seconds
(mails are told apart by their Message-ID, so the answer is one to the content), --most-sessions answers EHLO in one
more session with 432, as Office 365 does, --most-per-s answers MAIL with 454, as SES does.

With --control it takes an order, a line of JSON, from stdin, answers each with a line, and ends when stdin ends: so no
test leaves it behind.
"""

import argparse
import asyncio
import json
import signal
import socket
import sys
import threading

from tests.smtp_session import Session
from tests.smtp_state import ServerState


async def serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    server = ServerState(options)
    is_secure = options.tls == "implicit"
    context = server.ssl_context() if is_secure else None
    listener = await loop.create_server(
        lambda: Session(server, is_secure), "127.0.0.1", options.port, ssl=context, backlog=1000
    )
    for listening in listener.sockets:
        # Connections inherit the size. Without it a kernel may take in a mail of 12 MB that the server does not read.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    if options.control:
        threading.Thread(target=_obey, args=(server, loop, ended), daemon=True).start()
    await ended.wait()


def _obey(server: ServerState, loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    def act(line: str) -> None:
        print(json.dumps(server.obey(json.loads(line))), flush=True)

    for line in sys.stdin:
        loop.call_soon_threadsafe(act, line)
    loop.call_soon_threadsafe(ended.set)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="An SMTP server for tests.")
    parser.add_argument("--folder", default=".")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", choices=["starttls", "implicit"])
    for name in ("--cert", "--key", "--user", "--password"):
        parser.add_argument(name)
    parser.add_argument("--auth", default="PLAIN LOGIN")
    parser.add_argument("--most-recipients", type=int)
    parser.add_argument("--greylist-s", type=float)
    parser.add_argument("--most-sessions", type=int)
    parser.add_argument("--most-per-s", type=int)
    parser.add_argument("--too-many", default="452 4.5.3 Too many recipients")
    for flag in ("--no-keep", "--no-pipelining", "--smtputf8", "--byte-by-byte", "--control"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(serve(_options()))
