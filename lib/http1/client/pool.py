"""HttpClient: a request is sent and its answer returned, within one deadline, over a link that is kept for the next.

    client = HttpClient(Guard(parse_allowed("10.0.0.0/8")), tls=client_tls())
    answer = await client.send(ClientRequest("POST", read_url("https://api.example.com/hook"), fields, body),
                               deadline_s=loop.time() + 30)

1. A kept link to the same scheme, host and port is used first. If it closes before any byte of an answer came, it was
   most likely closed while it was idle: the request is sent once more, over a new link. Whoever receives it twice can
   tell by its webhook-id.
2. A new link goes to an address that the guard has vetted, and to no other; or through a proxy, which vets names.
3. Cancelled at any moment, the client cuts the link at once.

Used by handlers, on the loop of a runner; one HttpClient for all its jobs.
"""

import asyncio
import ssl
import time
from collections.abc import Callable

from lib.http1.client.address_guard import Guard
from lib.http1.client.client_message import Answer, ClientRequest, request_bytes
from lib.http1.client.exchange import HttpLink
from lib.http1.client.faults import AnswerTimedOut, LinkLost
from lib.http1.client.http_dial import open_link
from lib.http1.client.http_proxy import Tunnels, WebProxy
from lib.http1.client.kept_links import KeepLimits, KeptLinks
from lib.http1.client.url import Url


class HttpClient:
    """tls: whom to trust, `client_tls` of http_dial.py. proxy: `read_proxy` of http_proxy.py; None dials receivers
    itself. clock: seconds, monotonic."""

    def __init__(
        self,
        guard: Guard,
        *,
        tls: ssl.SSLContext,
        proxy: WebProxy | None = None,
        clock: Callable[[], float] = time.monotonic,
        keep: KeepLimits = KeepLimits(),  # noqa: B008
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._clock = clock
        self._tunnels = Tunnels(proxy) if proxy else None
        self._kept = KeptLinks(clock, keep)

    async def send(self, request: ClientRequest, *, deadline_s: float) -> Answer:
        """The answer to one request, of whatever status. deadline_s: by the clock of the loop, for all of it.

        Raises one of faults.py, or ValueError as `request_bytes` does."""
        begun_s = self._clock()
        data = request_bytes(request)
        answer = await self._over_a_kept_link(request, data, deadline_s)
        if answer is None:
            answer = await self._ask(await self._open(request.url, deadline_s), request, data, deadline_s)
        return Answer(*answer[:-1], duration_ms=(self._clock() - begun_s) * 1000)

    async def close(self) -> None:
        """Cut the links that are kept; those in use are cut when their request has ended."""
        self._kept.close()

    async def _over_a_kept_link(self, request: ClientRequest, data: bytes, deadline_s: float) -> Answer | None:
        """None: there was no link, or it had been closed while it was idle."""
        link = self._kept.take(request.url[:3])
        if link is None:
            return None
        try:
            return await self._ask(link, request, data, deadline_s)
        except LinkLost:
            if link.has_heard:
                raise
            return None

    async def _ask(self, link: HttpLink, request: ClientRequest, data: bytes, deadline_s: float) -> Answer:
        answer = await link.ask(data, request.method, deadline_s)
        self._kept.put(request.url[:3], link)
        return answer

    async def _open(self, url: Url, deadline_s: float) -> HttpLink:
        if self._tunnels is not None:
            # The proxy vets names. An address that is refused here is refused before anybody is asked.
            self._guard.refuse_literal(url.host)
            return await self._tunnels.open_link(url, self._tls, deadline_s, self._clock())
        try:
            async with asyncio.timeout_at(deadline_s):
                addresses = await self._guard.vetted(url.host, url.port)
        except TimeoutError:
            raise AnswerTimedOut(f"{url.host} was not looked up in time") from None
        return await open_link(url, addresses, self._tls, deadline_s, self._clock())
