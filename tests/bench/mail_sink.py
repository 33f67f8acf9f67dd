"""The cheapest honest SMTP server: it reads every mail to its end, says 250, and keeps none. In a process of its own.

    python -m tests.bench.mail_sink

It prints {"port": N}, takes mails until its stdin ends, then prints {"mails": N}. PIPELINING is offered, and answers
to commands that came together go out together. tests/smtp_server.py is the one for tests: it checks, keeps, misbehaves.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OFFERS = b"250-sink.example\r\n250-SIZE 50000000\r\n250 PIPELINING\r\n"
ANSWERS = {
    b"EHLO": OFFERS,
    b"HELO": b"250 sink.example\r\n",
    b"MAIL": b"250 2.1.0 ok\r\n",
    b"RCPT": b"250 2.1.5 ok\r\n",
    b"DATA": b"354 go ahead\r\n",
    b"RSET": b"250 2.0.0 ok\r\n",
    b"NOOP": b"250 2.0.0 ok\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}


class Session(asyncio.Protocol):
    """One connection. mails: counted over all of them."""

    def __init__(self, mails: list[int]) -> None:
        self._mails = mails
        self._unread = b""
        self._is_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink.example ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        answers = []
        while (answer := self._take_mail() if self._is_content else self._take_line()) is not None:
            answers.append(answer)
        if answers:
            self._transport.write(b"".join(answers))
        if answers and answers[-1].startswith(b"221"):
            self._transport.close()

    def _take_mail(self) -> bytes | None:
        _, end, rest = self._unread.partition(b"\r\n.\r\n")
        if not end:
            return None
        self._unread, self._is_content = rest, False
        self._mails[0] += 1
        return b"250 2.0.0 taken\r\n"

    def _take_line(self) -> bytes | None:
        line, end, rest = self._unread.partition(b"\r\n")
        if not end:
            return None
        self._unread = rest
        verb = line[:4].upper()
        self._is_content = verb == b"DATA"
        return ANSWERS.get(verb, b"500 5.5.1 what?\r\n")


class Sink:
    """The process, for those who measure: where it listens, and once it was closed how many mails it took."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.port = port
        self._process = process

    def close(self) -> int:
        said, _ = self._process.communicate()
        return int(json.loads(said)["mails"])


@contextmanager
def mail_sink() -> Iterator[Sink]:
    command = [sys.executable, "-m", "tests.bench.mail_sink"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Sink(process, int(json.loads(process.stdout.readline())["port"]))
    finally:
        process.kill()
        process.wait()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    mails = [0]
    listener = await loop.create_server(lambda: Session(mails), "127.0.0.1", 0, backlog=1000)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps({"mails": mails[0]}), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
