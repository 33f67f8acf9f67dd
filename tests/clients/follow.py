"""python follow.py CLIENT URL LAST_ID: follows a stream with a client of PyPI's, as streams.mjs does with npm's.

Run by a Python that has the client; imports nothing of Waybill.
"""

import asyncio
import importlib
import json
import sys
import urllib.request
from typing import Any


def tell(event: str, data: str, last_id: str | None) -> None:
    print(json.dumps({"event": event or "message", "data": data, "lastId": last_id or ""}), flush=True)


def with_sseclient(url: str, headers: dict[str, str]) -> None:
    sseclient: Any = importlib.import_module("sseclient")
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        for message in sseclient.SSEClient(answer).events():
            tell(message.event, message.data, message.id)


def with_httpx(url: str, headers: dict[str, str]) -> None:
    httpx: Any = importlib.import_module("httpx")
    httpx_sse: Any = importlib.import_module("httpx_sse")
    with (
        httpx.Client(timeout=None) as client,
        httpx_sse.connect_sse(client, "GET", url, headers=headers) as source,
    ):
        for message in source.iter_sse():
            tell(message.event, message.data, message.id)


def with_aiohttp(url: str, headers: dict[str, str]) -> None:
    client: Any = importlib.import_module("aiohttp_sse_client.client")

    async def follow() -> None:
        async with client.EventSource(url, headers=headers, max_connect_retry=100) as source:
            async for message in source:
                tell(message.type, message.data, message.last_event_id)

    asyncio.run(follow())


CLIENTS = {"sseclient-py": with_sseclient, "httpx-sse": with_httpx, "aiohttp-sse-client": with_aiohttp}

if __name__ == "__main__":
    name, url, last_id = sys.argv[1:]
    try:
        CLIENTS[name](url, {"Last-Event-ID": last_id} if last_id else {})
    except Exception as fault:  # noqa: BLE001  A link that was cut; whoever started this sees the rest.
        sys.exit(f"{type(fault).__name__}: {fault}")
