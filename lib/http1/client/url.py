"""The URL of a request to send, read strictly. Pure.

    "https://API.example.com/hook?x=1"  ->  Url("https", "api.example.com", 443, "/hook?x=1")
    "http://[2001:DB8::1]:8080"         ->  Url("http", "2001:db8::1", 8080, "/")

Two programs that read one URL differently are how a guard is passed by. So whatever could be read in two ways is
refused, and the sentence of the ValueError says what to write instead.
"""

import functools
import ipaddress
import re
from typing import NamedTuple

MOST_CHARACTERS = 8_192
DEFAULT_PORTS = {"http": 80, "https": 443}

_SHAPE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?]*)(?P<target>.*)")
_AUTHORITY = re.compile(r"(?:\[(?P<ip6>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# A last label such as 1, 0x7f or 0177: programs that look such a host up take it for an IPv4 address.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

_FIT = re.compile(r"[!\"$-\[\]-~]*+")  # All that none of _REFUSED matches.
# What a URL may not have anywhere -> the sentence for who wrote it.
_REFUSED = (
    (re.compile(r"[^\x00-\x7f]"), "has letters outside ASCII: write a name as xn--…, all else percent-encoded"),
    (re.compile(r"[\x00-\x20\x7f]"), "has a blank or a control character: percent-encode it, a blank as %20"),
    (re.compile(r"\\"), "has a backslash: write / or %5C"),
    (re.compile(r"#"), "has a fragment, which is never sent: leave out # and what follows"),
)


class Url(NamedTuple):
    """host: in lower case, an IPv6 address without brackets. target: path and query, as they are sent."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """Host and port, always both: "api.example.com:443", "[2001:db8::1]:8080"."""
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the field Host: the port only where it is not the scheme's own."""
        return bracketed(self.host) if self.port == DEFAULT_PORTS[self.scheme] else self.origin


def bracketed(host: str) -> str:
    """An address as a URL has it: "::1" -> "[::1]"; all others as they are."""
    return f"[{host}]" if ":" in host else host


def read_url(text: str) -> Url:
    """Raises ValueError with the rest of a sentence that begins with the field's name: "has no host"."""
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"is longer than {MOST_CHARACTERS} characters")
    if not _FIT.fullmatch(text):
        raise ValueError(next(sentence for pattern, sentence in _REFUSED if pattern.search(text)))
    shape = _SHAPE.fullmatch(text)
    scheme = shape["scheme"].lower() if shape else ""
    if shape is None or scheme not in DEFAULT_PORTS:
        raise ValueError("must begin with https:// or http://")
    host, port = _host_and_port(shape["authority"], DEFAULT_PORTS[scheme])
    target = shape["target"]
    return Url(scheme, host, port, target if target.startswith("/") else f"/{target}")


@functools.lru_cache(maxsize=1024)  # Most webhooks of a runner go to a few hosts, and each is read before each attempt.
def _host_and_port(authority: str, default_port: int) -> tuple[str, int]:
    if "@" in authority:
        raise ValueError("has a user or a password before the host: send them in a header, Authorization")
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise ValueError("has no host that can be read: write host or host:port, an IPv6 address in brackets")
    port = int(match["port"] or default_port)
    if not 1 <= port <= 65_535:
        raise ValueError("has a port that is not one of 1 to 65535")
    return read_host(match["name"]) if match["ip6"] is None else _ip6(match["ip6"]), port


def read_host(text: str) -> str:
    """A name or a dotted IPv4 address, in lower case and without a dot at the end. Raises ValueError as `read_url`."""
    host = text.lower().removesuffix(".")
    if not host:
        raise ValueError("has no host")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ip4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("has a host that is no name: labels of 1 to 63 letters, digits and hyphens, with dots between")
    return host


def _ip4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise ValueError("has a host that ends in a number: write an IPv4 address as four decimal numbers") from None


def _ip6(text: str) -> str:
    try:
        if "%" in text:
            raise ValueError
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError("has no IPv6 address in its brackets, or one with a zone") from None
