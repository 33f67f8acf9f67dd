"""The part of an answer that the client has not read yet: in memory at first, beyond MEMORY_BYTES in a file.

WHY: Python's http.client and requests send all of an upload before they read a byte of the answer. If the server
stopped reading because its answer is not read, client and server would wait for each other for ever. So the answer is
put aside, in a temporary file without a name.
"""

import asyncio
import tempfile
from io import FileIO

MEMORY_BYTES = 256 * 1024
FILE_BYTES = 512 * 1024 * 1024
READ_BYTES = 64 * 1024


class Spool:
    """Bytes in, the same bytes out, in order. One writer, one reader, one loop.

    The oldest bytes are in `_before`, younger ones in the file, and the youngest in `_behind`: those came when the disk
    was full.
    """

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, file_bytes: int = FILE_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._file_bytes = file_bytes
        self._before: list[bytes] = []
        self._behind: list[bytes] = []
        self._held_bytes = 0
        self._file: FileIO | None = None
        self._written = self._read = 0
        self._is_disk_full = False
        self._has_ended = self._is_closed = False
        self._changed: asyncio.Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """The writer should wait for `room`: the file has reached its limit, or the disk is full."""
        return self._written >= self._file_bytes or (self._is_disk_full and self._held_bytes > self._memory_bytes)

    def put(self, text: bytes) -> None:
        """Add to the end, whether it is full or not."""
        if self._is_closed:
            return  # The reader is gone; jobs that were on their way to Redis are answered to nobody.
        if self._behind or not self._fits(len(text)):
            if self._behind or not self._to_file(text):
                self._behind.append(text)
                self._held_bytes += len(text)
        else:
            self._before.append(text)
            self._held_bytes += len(text)
        self._wake()

    def end(self) -> None:
        """Say that nothing more will be put in."""
        self._has_ended = True
        self._wake()

    async def take(self) -> bytes:
        """Wait for bytes, and take the oldest; b"" at the end."""
        while True:
            if self._before:
                return self._from_memory()
            if self._written > self._read:
                return self._from_file()
            if self._behind:
                self._before, self._behind = self._behind, []
            elif self._has_ended:
                return b""
            else:
                await self._change()

    async def room(self) -> None:
        """Wait until it is not full."""
        while self.is_full and not self._has_ended:
            await self._change()

    def close(self) -> None:
        """Drop all bytes, and end."""
        self.end()
        self._is_closed = True
        self._before, self._behind, self._written, self._read = [], [], 0, 0
        if self._file is not None:
            self._file.close()

    def _fits(self, more_bytes: int) -> bool:
        """True if more bytes may go into memory: the file is empty, and there is room."""
        return self._written == self._read and self._held_bytes + more_bytes <= self._memory_bytes

    def _from_memory(self) -> bytes:
        text = b"".join(self._before)
        self._before = []
        self._held_bytes -= len(text)
        self._wake()
        return text

    def _to_file(self, text: bytes) -> bool:
        """Append to the file. False where the disk is full."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="waybill-", buffering=0)  # noqa: SIM115  close() closes it.
            self._file.seek(self._written)
            self._is_disk_full = self._file.write(text) < len(text)
        except OSError:
            self._is_disk_full = True
        if not self._is_disk_full:
            self._written += len(text)
        return not self._is_disk_full

    def _from_file(self) -> bytes:
        assert self._file is not None
        self._file.seek(self._read)
        text = self._file.read(min(READ_BYTES, self._written - self._read))
        self._read += len(text)
        if self._read == self._written:
            self._file.truncate(0)
            self._read = self._written = 0
            self._is_disk_full = False
            self._wake()
        return text

    async def _change(self) -> None:
        """Wait for the next `_wake`."""
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        # Reader and writer may wait for the same future: if one of them is cancelled, the other waits on.
        await asyncio.shield(self._changed)

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
