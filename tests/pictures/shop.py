"""The jobs of a shop, for the pictures. JOB_MODULES=lib.handlers.email,lib.handlers.webhook,tests.pictures.shop

    {"type": "thumbnail", "payload": {"image": "shoes-17.jpg", "width": 320}}

Their work is to wait as long as such work takes; some of them fail as such jobs fail.
"""

import asyncio
import random
from dataclasses import dataclass

from lib.jobs.registry import JobContext, job


class NotAnImage(Exception):
    """The file has no picture in it."""


class StockMismatch(Exception):
    """The warehouse and the shop count differently."""


@dataclass
class Thumbnail:
    image: str
    width: int = 320


@dataclass
class Invoice:
    order: int
    total: str = "0.00"


@dataclass
class Import:
    file: str
    rows: int = 1000


@dataclass
class Report:
    month: str


@dataclass
class Nothing:
    pass


@job("thumbnail", queue="images", max_attempts=3, backoff=(2, 20))
async def thumbnail(_ctx: JobContext, payload: Thumbnail) -> dict[str, int]:
    await asyncio.sleep(random.lognormvariate(-2.2, 0.7))
    if payload.image.endswith(".txt"):
        raise NotAnImage(f"{payload.image}: no picture starts like this")
    return {"bytes": payload.width * random.randrange(60, 90)}


@job("invoice", queue="invoices", max_attempts=4, backoff=(2, 20))
async def invoice(ctx: JobContext, payload: Invoice) -> dict[str, str]:
    await asyncio.sleep(random.lognormvariate(-1.5, 0.5))
    if random.random() < 0.03:
        raise ConnectionError("the printer of the warehouse hung up")
    ctx.log(f"order {payload.order}: {payload.total} EUR")
    return {"file": f"invoice-{payload.order}.pdf"}


@job("stock.import", queue="imports", timeout_s=600, max_attempts=2)
async def stock_import(ctx: JobContext, payload: Import) -> None:
    for row in range(0, payload.rows, 25):
        ctx.progress(row / payload.rows, f"{row} of {payload.rows} rows")
        await asyncio.sleep(random.uniform(0.3, 1.5))
    if random.random() < 0.2:
        raise StockMismatch(f"{payload.file}: 3 articles that the shop does not have")


@job("report", queue="reports")
async def report(_ctx: JobContext, _payload: Report) -> None:
    await asyncio.sleep(random.uniform(1, 4))


@job("cleanup", queue="default", max_attempts=1)
async def cleanup(_ctx: JobContext, _payload: Nothing) -> None:
    await asyncio.sleep(random.uniform(0.1, 2))
    if random.random() < 0.15:
        raise TimeoutError("the archive did not answer within 2 s")
