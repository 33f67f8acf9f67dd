"""lib/api/bulk/spool.py: what goes in comes out, in order, whatever memory and disk hold."""

import asyncio
import errno
import random
import unittest
from unittest.mock import patch

from lib.api.bulk.spool import Spool


class Order(unittest.IsolatedAsyncioTestCase):
    async def taken(self, spool: Spool) -> bytes:
        pieces = []
        while piece := await spool.take():
            pieces.append(piece)
        return b"".join(pieces)

    async def test_any_order_of_putting_and_taking_keeps_the_bytes(self) -> None:
        for seed in range(50):
            rng = random.Random(seed)
            spool, sent, taken = Spool(memory_bytes=40, file_bytes=10_000), b"", b""
            self.addCleanup(spool.close)
            for number in range(200):
                text = f"{number},".encode() * rng.randrange(1, 5)
                spool.put(text)
                sent += text
                if rng.random() < 0.4:
                    taken += await spool.take()
            spool.end()

            self.assertEqual(sent, taken + await self.taken(spool), seed)

    async def test_a_disk_that_fills_and_empties_loses_nothing_and_says_that_it_is_full(self) -> None:
        spool = Spool(memory_bytes=10)
        self.addCleanup(spool.close)
        spool.put(b"12345678")
        spool.put(b"in the file")
        assert spool._file is not None
        with patch.object(spool, "_file", FullDisk(spool._file)):
            spool.put(b"behind it")
            spool.put(b" and more")
            self.assertTrue(spool.is_full)
            first = await spool.take() + await spool.take()
        self.assertEqual(b"12345678in the file", first)
        await spool.take()

        self.assertFalse(spool.is_full)

    async def test_what_comes_when_it_is_closed_is_dropped(self) -> None:
        spool = Spool(memory_bytes=1)
        spool.put(b"in the file")
        spool.close()

        spool.put(b"too late")

        self.assertEqual(b"", await spool.take())

    async def test_without_a_file_at_all_it_is_memory_alone(self) -> None:
        with patch("tempfile.TemporaryFile", side_effect=OSError(errno.EROFS, "no")):
            spool = Spool(memory_bytes=10)
            for number in range(10):
                spool.put(b"%d......" % number)
            self.assertTrue(spool.is_full)
            spool.end()

            self.assertEqual(b"".join(b"%d......" % number for number in range(10)), await self.taken(spool))

    async def test_who_writes_waits_for_room_and_who_reads_for_bytes(self) -> None:
        spool = Spool(memory_bytes=10, file_bytes=100)
        self.addCleanup(spool.close)
        reading = asyncio.create_task(spool.take())
        await asyncio.sleep(0)
        spool.put(b"x")
        self.assertEqual(b"x", await reading)

        spool.put(b"y" * 200)
        self.assertTrue(spool.is_full)
        writing = asyncio.create_task(spool.room())
        await asyncio.sleep(0)
        self.assertFalse(writing.done())
        while spool.is_full:
            await spool.take()

        await asyncio.wait_for(writing, 5)


class FullDisk:
    """A file on a disk without a free block."""

    def __init__(self, file: object) -> None:
        self._file = file

    def write(self, text: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


if __name__ == "__main__":
    unittest.main()
