"""The settings: environment and env files in, one frozen `Settings` out, or every fault at once.

`server.py` and `worker.py` read them once and hand them down; nobody else looks at os.environ. The table below is the
one list of settings: `prod/.env.example` shows the same names, units, ranges and defaults, and a test holds them equal.
A value that is not understood stops the start (exit 78): a queue that runs with half its settings loses mail quietly.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lib.errors import ConfigError
from lib.ids import QUEUE_NAME

ENV_FILES = (".env.local", ".env")
EXIT_CONFIG = 78  # EX_CONFIG of sysexits.h: PM2 and systemd need not try again

_ENV_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+|[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>")
_REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster", "rediss+sentinel", "rediss+cluster")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting, checked. Times in seconds, sizes in bytes; what may hold a password is not in the repr."""

    host: str
    port: int
    max_connections: int
    allowed_hosts: tuple[str, ...]
    redis_url: str = field(repr=False)
    key_prefix: str
    ack_replicas: int
    log_dir: Path
    log_level: str
    log_format: str
    log_max_bytes: int
    log_backups: int
    job_modules: tuple[str, ...]
    worker_queues: Mapping[str, int]
    worker_processes: int
    lease_s: float
    crash_limit: int
    shutdown_grace_s: float
    retain_completed: int
    retain_completed_s: float
    retain_dead_s: float
    smtp_url: str = field(repr=False)
    mail_from: str
    outbox_dir: Path
    env_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. `parse` raises ValueError with the words that come behind "NAME: "."""

    name: str
    default: str
    about: str
    parse: Callable[[str], Any]


def load(environ: Mapping[str, str], root: Path) -> Settings:
    """Settings from `environ`, then from `.env.local` and `.env` in `root`. Raises ConfigError with every fault."""
    values = dict(environ)
    files: list[str] = []
    faults: list[str] = []
    for name in ENV_FILES:
        path = root / name
        if not path.is_file():
            continue
        files.append(name)
        for key, value in _read_env_file(path, faults).items():
            values.setdefault(key, value)
    checked: dict[str, Any] = {}
    for setting in SETTINGS:
        # An empty value means the default, as compose files and unit files write it.
        text = values.get(setting.name, "").strip() or setting.default
        try:
            checked[setting.name.lower()] = setting.parse(text)
        except ValueError as fault:
            faults.append(f"{setting.name}: {fault}")
    if checked.get("ack_replicas") and "+cluster" in checked.get("redis_url", ""):
        faults.append("ACK_REPLICAS: not with a Cluster; set 0, and min-replicas-to-write on its nodes")
    if faults:
        raise ConfigError(faults)
    for name in ("log_dir", "outbox_dir"):
        checked[name] = root / checked[name]
    return Settings(**checked, env_files=tuple(files))


def from_environment(root: Path) -> Settings:
    """What `server.py` and `worker.py` call: this process's own environment."""
    return load(os.environ, root)


def child_environment() -> dict[str, str]:
    """The environment for a process that this one starts."""
    return dict(os.environ)


def without_password(url: str) -> str:
    """A URL fit for a log line: user and password taken out."""
    parts = urlsplit(url)
    query = "&".join(item for item in parts.query.split("&") if not item.startswith("password="))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query).geturl()


def _read_env_file(path: Path, faults: list[str]) -> dict[str, str]:
    """KEY=VALUE a line; `export`, # comments and quotes as shells and docker know them, but nothing is expanded."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as fault:
        faults.append(f"{path.name} can't be read: {fault}")
        return {}
    values = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        match = _ENV_LINE.fullmatch(line)
        if not match:
            faults.append(f"{path.name} line {number} is not NAME=value")
            continue
        values[match[1]] = _unquote(match[2])
    return values


def _unquote(text: str) -> str:
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        if end > 0:
            return text[1:end]
    return re.split(r"\s#", text, maxsplit=1)[0].rstrip() if not text.startswith("#") else ""


# What a value may be: each of these makes the `parse` of a row.


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", text) or not low <= float(text) <= high:
            raise ValueError(f"{text!r} is not a number of seconds from {low:g} to {high:g}")
        return float(text)

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return parse


def _matching(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{text!r} is not {what}")
        return text

    return parse


def _list(item: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        return tuple(item(part.strip()) for part in text.split(",") if part.strip())

    return parse


def _loopback(text: str) -> str:
    """Without keys anyone who reaches the port may do anything, so nothing but this machine may reach it."""
    try:
        is_loopback = text == "localhost" or ipaddress.ip_address(text).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            f"{text!r} is not a loopback address; put a proxy that asks who calls in front (prod/nginx.conf)"
        )
    return text


def _allowed_host(text: str) -> str:
    if text != "*" and not _HOST_NAME.fullmatch(text) and not re.fullmatch(r"\[[0-9A-Fa-f:.]+\]", text):
        raise ValueError(f"{text!r} is not a host name, an address or *")
    return text.lower()


def _path(text: str) -> Path:
    if "\0" in text:
        raise ValueError("a path can't hold a NUL byte")
    return Path(text)


def _redis_url(text: str) -> str:
    parts = _split_url(text)
    if parts.scheme not in _REDIS_SCHEMES:
        raise ValueError(
            f"{without_password(text)!r} does not begin with one of {', '.join(s + '://' for s in _REDIS_SCHEMES)}"
        )
    if parts.scheme == "unix" and not parts.path:
        raise ValueError("unix:// needs the path of a socket, as in unix:///run/redis/redis.sock")
    if parts.scheme != "unix" and not parts.netloc.rpartition("@")[2]:
        raise ValueError("it names no host, as in redis://127.0.0.1:6379/0")
    if parts.scheme.endswith("+sentinel") and not parts.path.strip("/"):
        raise ValueError("it names no service, as in redis+sentinel://host1:26379,host2:26379/mymaster")
    return text


def _smtp_url(text: str) -> str:
    if not text:
        return text
    parts = _split_url(text)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError(f"{without_password(text)!r} is not of the form smtp[s]://user:password@host:port?starttls=1")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("its port is not a number from 0 to 65535") from None
    if parts.query not in ("", "starttls=1", "starttls=0"):
        raise ValueError("the only parameter it takes is starttls=1 or starttls=0")
    return text


def _split_url(text: str) -> Any:
    try:
        return urlsplit(text)
    except ValueError:
        # Not the text itself: it may hold a password.
        raise ValueError("it is not a URL") from None


def _queue_limits(text: str) -> dict[str, int]:
    limits: dict[str, int] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, limit = part.partition("=")
        if not equals or not QUEUE_NAME.fullmatch(name):
            raise ValueError(f"{part!r} is not of the form queue=limit, queue being a-z, 0-9, _ and -, 64 at most")
        if name in limits:
            raise ValueError(f"{name!r} stands there twice")
        limits[name] = _whole(1, 10_000)(limit)
    if not limits:
        raise ValueError("it names no queue, as in email=20,default=20")
    return limits


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", "127.0.0.1", "address to listen on; loopback alone, a proxy stands in front", _loopback),
    Setting("PORT", "8000", "TCP port, 0 to 65535; 0 takes a free one", _whole(0, 65535)),
    Setting("MAX_CONNECTIONS", "1000", "open HTTP connections, 1 to 100000", _whole(1, 100_000)),
    Setting(
        "ALLOWED_HOSTS",
        "localhost,127.0.0.1,[::1]",
        "names in the Host header that are answered, beside HOST; others get 421; * answers any",
        _list(_allowed_host),
    ),
    Setting(
        "REDIS_URL",
        "redis://127.0.0.1:6379/0",
        "redis[s]://user:password@host:port/db, unix:///path, redis+sentinel://h1,h2/name, redis+cluster://h1,h2",
        _redis_url,
    ),
    Setting(
        "KEY_PREFIX",
        "wb",
        "first part of every Redis key: letters, digits, _ and -, 32 at most",
        _matching(_PREFIX, "1 to 32 letters, digits, _ and -"),
    ),
    Setting(
        "ACK_REPLICAS",
        "0",
        "replicas that must have a job before it is answered 202, 0 to 10; fewer within 500 ms: 503; not with Cluster",
        _whole(0, 10),
    ),
    Setting("LOG_DIR", "logs", "folder of app.log and worker.log; relative to the project", _path),
    Setting("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", _one_of("DEBUG", "INFO", "WARNING", "ERROR")),
    Setting(
        "LOG_FORMAT", "text", "text or json: what the console shows; the files are always JSON", _one_of("text", "json")
    ),
    Setting(
        "LOG_MAX_BYTES",
        "52428800",
        "size in bytes at which a log file is rotated, 0 or 65536 and more; 0 leaves it to logrotate",
        lambda text: _whole(65_536, 10**15)(text) if text != "0" else 0,
    ),
    Setting("LOG_BACKUPS", "5", "rotated files kept of each log, 1 to 1000", _whole(1, 1000)),
    Setting(
        "JOB_MODULES",
        "lib.handlers.email",
        "Python modules whose @job functions are known, parted by commas",
        _list(_matching(_MODULE, "a module's dotted name")),
    ),
    Setting(
        "WORKER_QUEUES",
        "email=20,default=20",
        "queue=limit, parted by commas: how many jobs of it each runner runs at a time, 1 to 10000",
        _queue_limits,
    ),
    Setting("WORKER_PROCESSES", "1", "runners of one worker.py, 1 to 256", _whole(1, 256)),
    Setting(
        "LEASE_S",
        "15",
        "seconds without a heartbeat after which a worker's jobs are taken back, 2 to 3600",
        _seconds(2, 3600),
    ),
    Setting(
        "CRASH_LIMIT",
        "3",
        "crashes of its runner after which a job is dead, the last one alone in its runner, 1 to 100",
        _whole(1, 100),
    ),
    Setting(
        "SHUTDOWN_GRACE_S",
        "25",
        "seconds that running jobs and requests get at a stop, 0 to 86400",
        _seconds(0, 86_400),
    ),
    Setting("RETAIN_COMPLETED", "10000", "completed jobs kept in each queue, 0 to 100000000", _whole(0, 100_000_000)),
    Setting(
        "RETAIN_COMPLETED_S",
        "604800",
        "seconds that completed and cancelled jobs are kept at most",
        _seconds(0, 10**10),
    ),
    Setting("RETAIN_DEAD_S", "7776000", "seconds that dead jobs are kept", _seconds(0, 10**10)),
    Setting(
        "SMTP_URL",
        "",
        "smtp[s]://user:password@host:port?starttls=1; unset, each mail is written as a file into OUTBOX_DIR",
        _smtp_url,
    ),
    Setting(
        "MAIL_FROM",
        "Waybill <waybill@localhost>",
        "sender of the mails, an address or a name with an address",
        _matching(_ADDRESS, "an e-mail address, as in Waybill <waybill@example.com>"),
    ),
    Setting(
        "OUTBOX_DIR", "var/outbox", "folder for .eml files where SMTP_URL is unset; relative to the project", _path
    ),
)


def describe(faults: Iterable[str]) -> str:
    """What a refused start prints: a line for every fault, and where the settings are explained."""
    lines = "".join(f"  {fault}\n" for fault in faults)
    return f"Waybill can't start with these settings:\n{lines}prod/.env.example explains every setting.\n"
