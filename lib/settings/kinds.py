"""The parsers of settings: each function here is the `parse` of a row in settings_table.py, or makes one.

    seconds(2, 3600)("15")              ->  15.0
    queue_limits("email=20,default=5")  ->  {"email": 20, "default": 5}
    whole(1, 64)("0")                   ->  ValueError("'0' is not a whole number from 1 to 64")

A parser takes the text of a setting and returns its value, or raises ValueError, whose words follow "NAME: ". No
message holds a password.
"""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

from lib.ids import QUEUE_NAME

_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_SMTP_FORMS = "smtp://user:password@host:587?starttls=1, smtps://user:password@host:465 or smtp://host:25"
_SMTP_HOST = re.compile(r"[^\s,;/\\<>\"'`|{}^]{1,253}")
_ESCAPE = "In a user's name or password write / ? # @ as %2F %3F %23 %40"
_REDIS_OPTIONS = {
    "db": r"[0-9]{1,4}",
    **dict.fromkeys(("username", "password"), r".*"),
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password"), r".+"),
    "ssl_cert_reqs": r"none|optional|required",
    "ssl_check_hostname": r"(?i:true|false|yes|no|1|0)",
}
_REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "rediss+sentinel", "rediss+cluster")


def whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text) or not low <= float(text) <= high:
            raise ValueError(f"{text!r} is not a number of seconds from {low:g} to {high:g}")
        return float(text)

    return parse


def seconds_or_none(low: float, high: float) -> Callable[[str], float | None]:
    parse = seconds(low, high)
    return lambda text: parse(text) if text else None


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return parse


def switch(text: str) -> bool:
    return one_of("1", "0")(text) == "1"


def matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{text!r} is not {what}")
        return text

    return parse


def list_of(item: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        return tuple(item(part.strip()) for part in text.split(",") if part.strip())

    return parse


def address(text: str) -> str:
    if text == "localhost":
        return text
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is not an IP address of this machine, or localhost") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host, which `address` has parsed."""
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def allowed_host(text: str) -> str:
    if text != "*" and not _HOST_NAME.fullmatch(text) and not re.fullmatch(r"\[[0-9A-Fa-f:.]+\]", text):
        raise ValueError(f"{text!r} is not a host name, an address or *")
    return text.lower()


def path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("a path can't hold a NUL byte")
    return Path(text)


def path_or_none(text: str) -> Path | None:
    return path(text) if text else None


def command(text: str) -> tuple[str, ...]:
    """A program and its arguments, quoted as in a shell: `get-token --for 'a b'` is ("get-token", "--for", "a b"). The
    arguments may be secret, so no message shows them."""
    import shlex  # Not above: few deployments set a command, and each start would import this.

    try:
        return tuple(shlex.split(text))
    except ValueError as fault:
        raise ValueError(f"it can't be read as a command: {fault}".lower()) from None


def redis_url(text: str) -> str:
    parts = _split_url(text)
    if parts.scheme not in _REDIS_SCHEMES:
        raise ValueError(
            f"{without_password(text)!r} does not begin with one of {', '.join(s + '://' for s in _REDIS_SCHEMES)}"
        )
    if parts.scheme == "unix":
        if not parts.path:
            raise ValueError("unix:// needs the path of a socket, as in unix:///run/redis/redis.sock")
    else:
        _check_redis_hosts(parts)
    _check_redis_options(parts)
    return text


def _check_redis_hosts(parts: SplitResult) -> None:
    hosts = parts.netloc.rpartition("@")[2]
    if not all(_has_port_or_none(host) for host in hosts.split(",")):
        raise ValueError(f"it has a port that is not a number from 0 to 65535. {_ESCAPE}")
    if not hosts:
        raise ValueError("it names no host, as in redis://127.0.0.1:6379/0")
    service, _, database = parts.path.strip("/").partition("/")
    if not parts.scheme.endswith("+sentinel"):
        service, database = "none", service
    if not service:
        raise ValueError("it names no service, as in redis+sentinel://host1:26379,host2:26379/mymaster")
    if not re.fullmatch(r"[0-9]{0,4}", database):
        raise ValueError("what stands behind the host is not the number of a database, as in redis://127.0.0.1:6379/0")
    if database.strip("0") and parts.scheme.endswith("+cluster"):
        raise ValueError("a Cluster has database 0 alone")


def _check_redis_options(parts: SplitResult) -> None:
    """Raises ValueError for a parameter that is not in _REDIS_OPTIONS. redis-py would take it as an option of its own,
    and some of its options break what Waybill relies on."""
    several = parts.scheme.endswith(("+sentinel", "+cluster"))
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        known = None if several else _REDIS_OPTIONS.get(name)
        if known is None:
            known_names = "none here" if several else ", ".join(_REDIS_OPTIONS)
            raise ValueError(f"it has a parameter that is not known; known: {known_names}")
        if not re.fullmatch(known, value):
            raise ValueError(f"its parameter {name} can't have that value")


def smtp_url(text: str) -> str:
    if not text:
        return text
    parts = _split_url(text)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError(f"{without_password(text)!r} is not of the form {_SMTP_FORMS}")
    if not _has_port_or_none(parts.netloc.rpartition("@")[2]) or parts.port == 0:
        raise ValueError(f"its port is not a number from 1 to 65535. {_ESCAPE}")
    if not _SMTP_HOST.fullmatch(parts.hostname):
        raise ValueError(f"{parts.hostname!r} is not one host's name or address. {_ESCAPE}")
    if parts.path not in ("", "/"):
        raise ValueError(f"nothing stands behind its port but ?starttls=1, and here {parts.path!r} does")
    if parts.query not in ("", "starttls=1", "starttls=0"):
        raise ValueError("the only parameter it takes is starttls=1 or starttls=0")
    if not _is_this_machine(parts.hostname):
        _check_smtp_port(parts)
    return text


def _check_smtp_port(parts: SplitResult) -> None:
    """Raises ValueError where the URL's way of encryption is not that of its port (RFC 8314). Called for other hosts
    alone: on this machine a tunnel may listen on any port."""
    host, port, is_tls = parts.hostname, parts.port, parts.scheme == "smtps"
    if is_tls and port in (25, 587):
        raise ValueError(f"port {port} does not begin with TLS; write smtp://…@{host}:{port}?starttls=1, or port 465")
    if not is_tls and port == 465:
        raise ValueError(f"port 465 begins with TLS; write smtps://…@{host}:465")
    if not is_tls and port == 587 and not parts.query:
        raise ValueError(
            f"port 587 asks for STARTTLS; write smtp://…@{host}:587?starttls=1 (?starttls=0 for a server without)"
        )


def _is_this_machine(host: str) -> bool:
    try:
        return is_loopback(host)
    except ValueError:
        return False


def _split_url(text: str) -> SplitResult:
    """Raises ValueError, whose words do not quote the text: it may hold a password."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.fragment or "@" in parts.path:
        raise ValueError(f"its host ends before the @. {_ESCAPE}" if "@" in text else "it has a # in it")
    return parts


def _has_port_or_none(host: str) -> bool:
    try:
        _ = urlsplit(f"//{host}").port
    except ValueError:
        return False
    return True


def queue_limits(text: str) -> dict[str, int]:
    """WORKER_QUEUES: how many jobs of each queue a runner runs at a time."""
    limits: dict[str, int] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, limit = part.partition("=")
        if not equals or not QUEUE_NAME.fullmatch(name):
            raise ValueError(f"{part!r} is not of the form queue=limit, queue being a-z, 0-9, _ and -, 64 at most")
        if name in limits:
            raise ValueError(f"{name!r} stands there twice")
        limits[name] = whole(1, 10_000)(limit)
    if not limits:
        raise ValueError("it names no queue, as in email=20,default=20")
    return limits


def rate(text: str) -> tuple[int, int] | None:
    """RATE_LIMIT: "600/60" is (600, 60), which are requests and seconds; "" is None, no limit."""
    if not text:
        return None
    limit, slash, per_s = text.partition("/")
    if not slash:
        raise ValueError(f"{text!r} is not of the form requests/seconds, as in 600/60")
    return whole(1, 1_000_000)(limit), whole(1, 86_400)(per_s)


def public_url(text: str) -> str:
    """PUBLIC_URL: http or https, a host, perhaps a port and a path; without a slash at its end."""
    parts = _split_url(text)
    if not text:
        return text
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii() or " " in text:
        raise ValueError("it is not of the form https://waybill.example.com")
    if "@" in parts.netloc or parts.query or not _has_port_or_none(parts.netloc):
        raise ValueError("it has a user, a query or a wrong port; write scheme, host, port and path alone")
    return text.rstrip("/")


def without_password(url: str) -> str:
    """The URL without its user and password, fit for a log line. It need not be a valid URL: a / ? or # in the password
    may have put the @ anywhere."""
    url = re.sub(r"(?<=[?&])(username|password)=[^&]*&?", "", url).rstrip("?&")
    before, _, behind = url.rpartition("@")
    scheme, mark, _ = before.partition("://")
    return scheme + mark + behind if mark else behind
