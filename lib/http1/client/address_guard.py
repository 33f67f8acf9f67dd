"""Which addresses a host's name may be dialled at. It sits in the client's room, so that no user can pass it by.

    vetted("api.example.com", 443)    ["93.184.216.34", "2606:2800:21f::1"]
    vetted("orders.internal", 80)     raises AddressRefused: its only address is 10.0.0.7

A name is looked up once for each link that is opened, every address is vetted, and the vetted ones are what the caller
dials: a name that answers 93.184.216.34 to the guard and 127.0.0.1 to who asks again gains nothing.

1. A look-up runs in a thread of its own, for the system's resolver can be neither awaited nor stopped. Who asks for a
   name that is being looked up waits for the same thread: a name whose DNS is mute holds one thread, and not all.
2. Whoever asks waits LOOK_UP_S at most.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from lib.http1.client.faults import AddressRefused, NameNotFound
from lib.http1.client.special_ranges import Address, AllowedPrivate, is_public, plain

HOW_TO_ALLOW = "WEBHOOK_ALLOW_PRIVATE=127.0.0.0/8,orders.internal, say, allows such ones (restart servers and workers)"
LOOK_UP_S = 5.0
MOST_LOOK_UPS = 32  # Threads; beyond, a name is "not found", and its job is tried again.

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""(host, port) -> addresses, "fe80::1%eth0" too. Raises NameNotFound."""


class Guard:
    """resolve: tests hand in their own DNS; None is the system's."""

    def __init__(self, allow: AllowedPrivate = AllowedPrivate(), resolve: Resolve | None = None) -> None:  # noqa: B008
        self._allow = allow
        self._resolve = resolve or SystemResolver()

    async def vetted(self, host: str, port: int) -> list[str]:
        """The addresses to dial, in turn; never empty. Raises AddressRefused or NameNotFound."""
        literal = literal_of(host)
        found = [str(literal)] if literal else await self._look_up(host, port)
        allowed = [str(address) for address in map(_address, found) if address and self._may_reach(host, address)]
        if not allowed:
            raise _refusal(host if literal else f"{host}, which is at {_some(found)}")
        return list(dict.fromkeys(allowed))

    def refuses_literal(self, host: str) -> bool:
        """Whether `host` is an address, and one that may not be dialled. False for names: asks no DNS."""
        address = literal_of(host)
        return address is not None and not self._may_reach(host, address)

    def refuse_literal(self, host: str) -> None:
        """Raises AddressRefused where `refuses_literal`: for a proxy's client, which looks no name up."""
        if self.refuses_literal(host):
            raise _refusal(host)

    def _may_reach(self, host: str, address: Address) -> bool:
        return is_public(address) or self._allow.allows(host, address)

    async def _look_up(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(LOOK_UP_S):
                found = await self._resolve(host, port)
        except TimeoutError:
            raise NameNotFound(f"the DNS had no answer for {host} within {LOOK_UP_S:g} s") from None
        if not found:
            raise NameNotFound(f"{host} has no address")
        return found


def literal_of(host: str) -> Address | None:
    """The address that `host` is, in whatever spelling the system takes: 127.1, 0x7f.1 and 2130706433 are 127.0.0.1."""
    with suppress(OSError, ValueError, UnicodeError):
        return ipaddress.IPv4Address(socket.inet_aton(host))
    return _address(host)


def _address(text: str) -> Address | None:
    """None for a name, and for an address with a zone, which is link-local (fe80::1%eth0)."""
    try:
        return None if "%" in text else plain(ipaddress.ip_address(text))
    except ValueError:
        return None


def _refusal(where: str) -> AddressRefused:
    return AddressRefused(f"webhooks may not go to {where}; {HOW_TO_ALLOW}")


def _some(addresses: list[str]) -> str:
    few = ", ".join(addresses[:3])
    return few if len(addresses) <= 3 else f"{few} and {len(addresses) - 3} more"


class SystemResolver:
    """The system's getaddrinfo, in a thread for each name that is being looked up."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a name, in the order in which the system would try them. Raises NameNotFound."""
        pending = self._pending.get((host, port)) or self._begin(host, port)
        # Shielded: who stops waiting leaves the look-up to the others, and its thread goes on anyway.
        return await asyncio.shield(pending)

    def _begin(self, host: str, port: int) -> asyncio.Future[list[str]]:
        if len(self._pending) >= MOST_LOOK_UPS:
            raise NameNotFound(f"{host} was not looked up: {MOST_LOOK_UPS} other names are waiting for the DNS")
        loop = asyncio.get_running_loop()
        future = self._pending[host, port] = loop.create_future()
        future.add_done_callback(lambda _: self._ended(host, port, future))

        def look_up() -> None:
            found = _get_addresses(host, port)
            with suppress(RuntimeError):  # The loop has ended, and nobody waits any more.
                loop.call_soon_threadsafe(_settle, future, found)

        threading.Thread(target=look_up, name="dns", daemon=True).start()
        return future

    def _ended(self, host: str, port: int, future: asyncio.Future[list[str]]) -> None:
        del self._pending[host, port]
        if not future.cancelled():
            future.exception()  # Looked at, so that a fault that nobody waited for is not logged as never retrieved.


def _get_addresses(host: str, port: int) -> list[str] | NameNotFound:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        return NameNotFound(f"{host} was not found: {exc.strerror or exc}")
    except UnicodeError:
        return NameNotFound(f"{host} is no name that the DNS could have")
    return [str(entry[4][0]) for entry in found]


def _settle(future: asyncio.Future[list[str]], found: list[str] | NameNotFound) -> None:
    if future.done():
        return
    if isinstance(found, NameNotFound):
        future.set_exception(found)
    else:
        future.set_result(found)
