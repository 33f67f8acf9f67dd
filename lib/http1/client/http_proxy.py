"""A link is opened through a proxy: CONNECT (RFC 9110, 9.3.6), then TLS to the receiver through the tunnel.

    CONNECT api.example.com:443 HTTP/1.1     ->  the proxy looks the name up, vets and dials it
    HTTP/1.1 200 Connection established      <-  from here on the bytes are the receiver's

Called by pool.py where WEBHOOK_PROXY is set. Names are the proxy's to vet then (smokescreen is made for that); requests
without TLS go through a tunnel as well, so that the proxy reads and changes nothing of them.
"""

import asyncio
import base64
import re
import ssl
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote

from lib.http1.client.address_guard import SystemResolver
from lib.http1.client.exchange import HttpLink, words_of
from lib.http1.client.faults import HttpClientFault, LinkLost
from lib.http1.client.http_dial import dialling, in_turn
from lib.http1.client.response_parser import AnswerParser
from lib.http1.client.url import Url, bracketed, read_url

_SHAPE = re.compile(r"http://(?:(?P<user>[^/?#@]*)@)?(?P<rest>[^@]*)")


@dataclass(frozen=True, slots=True)
class WebProxy:
    """WEBHOOK_PROXY, read. authorization: the field's value, "Basic …", or "" for a proxy that asks for none."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)


def read_proxy(text: str) -> WebProxy:
    """text: "http://user:password@host:4750". Raises ValueError with the rest of a sentence, without the password."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise ValueError("must be as http://host:4750 or http://user:password@host:4750")
    url = read_url(f"http://{match['rest']}")
    if url.target != "/":
        raise ValueError("has a path: a proxy is a host and a port alone")
    if match["user"] is None:
        return WebProxy(url.host, url.port)
    name, _, password = match["user"].partition(":")
    credentials = f"{unquote(name)}:{unquote(password)}"
    return WebProxy(url.host, url.port, f"Basic {base64.b64encode(credentials.encode()).decode()}")


class Tunnels:
    """Opens links through one proxy."""

    def __init__(self, proxy: WebProxy) -> None:
        self._proxy = proxy
        self._resolve = SystemResolver()

    async def open_link(self, url: Url, tls: ssl.SSLContext, deadline_s: float, opened_s: float) -> HttpLink:
        """A link to the receiver. Raises LinkLost (the proxy refuses, too), TlsRefused, NoHttp, NameNotFound or
        AnswerTimedOut."""
        proxy = self._proxy

        async def connect(address: str, end_s: float) -> HttpLink:
            link = HttpLink(url.origin, address, opened_s)
            async with dialling(f"the proxy {proxy.host} ({bracketed(address)}:{proxy.port})", end_s):
                transport, tunnel = await asyncio.get_running_loop().create_connection(
                    lambda: _Tunnel(url, proxy), address, proxy.port
                )
                try:
                    await tunnel.opened
                    await _hand_over(transport, link, url, tls)
                except BaseException:
                    transport.abort()
                    raise
            return link

        async with dialling(f"the proxy {proxy.host}", deadline_s):
            addresses = await self._resolve(proxy.host, proxy.port)
        return await in_turn(addresses, deadline_s, connect)


async def _hand_over(transport: asyncio.Transport, link: HttpLink, url: Url, tls: ssl.SSLContext) -> None:
    """What comes through the tunnel from now on is the link's."""
    if url.scheme == "http":
        transport.set_protocol(link)
        link.connection_made(transport)
        return
    # Without TLS's own name for the host, the proxy could be any receiver.
    encrypted = await asyncio.get_running_loop().start_tls(transport, link, tls, server_hostname=url.host)
    if encrypted is None:
        raise ConnectionResetError
    link.connection_made(encrypted)


class _Tunnel(asyncio.Protocol):
    """Asks the proxy for a tunnel. opened: done when there is one."""

    def __init__(self, url: Url, proxy: WebProxy) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._origin = url.origin
        self._parser = AnswerParser("CONNECT")
        authorization = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
        self._request = f"CONNECT {url.origin} HTTP/1.1\r\nHost: {url.origin}\r\n{authorization}\r\n".encode("ascii")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
        except HttpClientFault as exc:
            self._fail(type(exc)(f"the proxy {exc}"))
            return
        status = self._parser.status
        if status is None or self.opened.done():
            return
        if status >= 300:
            self._fail(LinkLost(f"the proxy refused to connect to {self._origin}, with status {status}"))
        elif self._parser.has_more:
            # A receiver speaks second: bytes behind the proxy's answer were not the receiver's, or would be lost.
            self._fail(LinkLost(f"the proxy sent bytes before {self._origin} was asked"))
        else:
            self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(LinkLost(f"the proxy closed the link{f': {words_of(exc)}' if exc else ''}"))

    def _fail(self, fault: HttpClientFault) -> None:
        if not self.opened.done():
            self.opened.set_exception(fault)
            self.opened.exception()  # Looked at, for nobody may be waiting any more.
