"""How the tests' SMTP server sends its replies; used by smtp_session.py."""

import asyncio


class ReplyWriter:
    """The replies of one session on their way out: together, byte by byte, or one without an end."""

    def __init__(self, transport: asyncio.Transport, *, byte_by_byte: bool) -> None:
        self.transport = transport
        self._is_dripping = byte_by_byte
        self._out: list[bytes] = []
        self._drops = b""

    def say(self, reply: str) -> None:
        """`flush` sends it."""
        self._out.append(f"{reply}\r\n".encode())

    def flush(self) -> None:
        if self._out and self._is_dripping:
            self._drip(b"".join(self._out))
        elif self._out:
            self.transport.write(b"".join(self._out))
        self._out.clear()

    def say_without_end(self) -> None:
        """One reply without an end, as fast as the client reads it."""
        if self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() < 1 << 20:
            self.transport.write(b"250-and more\r\n" * 4000)
        asyncio.get_running_loop().call_later(0.001, self.say_without_end)

    def _drip(self, data: bytes) -> None:
        # Behind the bytes that still wait. Each byte goes out in a turn of the loop, and so in a packet, of its own.
        is_waiting = bool(self._drops)
        self._drops += data
        if not is_waiting:
            self._next_drop()

    def _next_drop(self) -> None:
        self.transport.write(self._drops[:1])
        self._drops = self._drops[1:]
        if self._drops:
            asyncio.get_running_loop().call_later(0.0002, self._next_drop)
