"""A link is opened: TCP to an address that the guard vetted, then TLS under the host's name.

Called by pool.py. The addresses are literal, so no name is looked up here a second time. Several are tried in turn,
each for its share of the time that is left: one that never answers leaves time for the others.
"""

import asyncio
import ssl
from collections.abc import Sequence

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
    loop = asyncio.get_running_loop()
    tried = addresses[:MOST_ADDRESSES]
    fault: HttpClientFault = AnswerTimedOut(f"there was no time left to connect to {url.origin}")
    for number, address in enumerate(tried):
        now_s = loop.time()
        end_s = now_s + (deadline_s - now_s) / (len(tried) - number)
        try:
            return await _connect(url, address, tls, end_s, HttpLink(url.origin, address, opened_s))
        except (LinkLost, AnswerTimedOut) as exc:
            fault = exc
    raise fault


async def _connect(url: Url, address: str, tls: ssl.SSLContext, end_s: float, link: HttpLink) -> HttpLink:
    name = url.host if url.scheme == "https" else None
    where = f"{url.host} ({bracketed(address)}:{url.port})"
    try:
        async with asyncio.timeout_at(end_s):
            await asyncio.get_running_loop().create_connection(
                lambda: link, address, url.port, ssl=tls if name else None, server_hostname=name
            )
    except TimeoutError:
        raise AnswerTimedOut(f"{where} has not taken the connection in time") from None
    except ssl.SSLError as exc:
        raise TlsRefused(f"{where}: {words_of(exc)}") from exc
    except OSError as exc:
        raise LinkLost(f"{where}: {words_of(exc)}") from exc
    return link
