"""A link is opened: TCP to an address that the guard vetted, then TLS under the host's name.

Called by pool.py. The addresses are literal, so no name is looked up here a second time. Several are tried in turn,
each for its share of the time that is left: one that never answers leaves time for the others.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from lib.http1.client.exchange import HttpLink, words_of
from lib.http1.client.faults import AnswerTimedOut, HttpClientFault, LinkLost, TlsRefused
from lib.http1.client.url import Url, bracketed

MOST_ADDRESSES = 8


def client_tls(ca_file: str | None = None) -> ssl.SSLContext:
    """Whom the client trusts: the system's authorities, and those of `ca_file` beside them. TLS 1.2 at least.

    Raises OSError (ssl.SSLError is one) for a file that can't be read or holds no certificate."""
    tls = ssl.create_default_context()
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.set_alpn_protocols(["http/1.1"])
    if ca_file:
        tls.load_verify_locations(ca_file)
    return tls


async def open_link(
    url: Url, addresses: Sequence[str], tls: ssl.SSLContext, deadline_s: float, opened_s: float
) -> HttpLink:
    """The first link that opens. deadline_s: by the loop's clock. opened_s: what the link is to say.

    Raises LinkLost, TlsRefused or AnswerTimedOut, for the address that was tried last."""
    name = url.host if url.scheme == "https" else None

    async def connect(address: str, end_s: float) -> HttpLink:
        link = HttpLink(url.origin, address, opened_s)
        async with dialling(f"{url.host} ({bracketed(address)}:{url.port})", end_s):
            await asyncio.get_running_loop().create_connection(
                lambda: link, address, url.port, ssl=tls if name else None, server_hostname=name
            )
        return link

    return await in_turn(addresses, deadline_s, connect)


async def in_turn(
    addresses: Sequence[str], deadline_s: float, connect: Callable[[str, float], Awaitable[HttpLink]]
) -> HttpLink:
    """What `connect` (address, its deadline) returns for the first address at which it opens a link."""
    loop = asyncio.get_running_loop()
    tried = addresses[:MOST_ADDRESSES]
    fault: HttpClientFault = AnswerTimedOut("there was no time left to connect")
    for number, address in enumerate(tried):
        now_s = loop.time()
        try:
            return await connect(address, now_s + (deadline_s - now_s) / (len(tried) - number))
        except (LinkLost, AnswerTimedOut) as exc:
            fault = exc
    raise fault


@asynccontextmanager
async def dialling(where: str, end_s: float) -> AsyncIterator[None]:
    """Until `end_s` of the loop's clock; errors of the system become faults. where: "a.example (192.0.2.7:443)"."""
    try:
        async with asyncio.timeout_at(end_s):
            yield
    except TimeoutError:
        raise AnswerTimedOut(f"{where} has not taken the connection in time") from None
    except ssl.SSLError as exc:
        raise TlsRefused(f"{where}: {words_of(exc)}") from exc
    except OSError as exc:
        raise LinkLost(f"{where}: {words_of(exc)}") from exc
