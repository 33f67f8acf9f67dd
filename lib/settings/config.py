"""The settings: environment and env files in, one frozen `Settings` out, or every fault at once.

`server.py` and `worker.py` read them once and hand them down; nobody else looks at os.environ. The table below is the
one list of settings: `prod/.env.example` shows the same names, units, ranges and defaults, and a test holds them equal.
A value that is not understood stops the start (exit 78): a queue that runs with half its settings loses mail quietly.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from math import inf
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lib.errors import ConfigError
from lib.settings import api_keys, kinds
from lib.settings.api_keys import ApiKey
from lib.settings.needs import EXIT_CONFIG as EXIT_CONFIG

ENV_FILES = (".env.local", ".env")
SECRETIVE = ("redis_url", "smtp_url", "smtp_token_command")

_ENV_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+|[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>")
_SENDER = re.compile(r"(?:[^\s<>@]+@|@)?[^\s<>@]+")


class Settings(NamedTuple):
    """Every setting, checked. Times in seconds, sizes in bytes; what may hold a password is not in the repr.

    Not a dataclass: this is read before worker.py spawns its runners, and `dataclasses` brings half of Python along.
    """

    host: str
    port: int
    server_processes: int
    max_connections: int
    keep_alive_s: int
    allowed_hosts: tuple[str, ...]
    api_keys: tuple[ApiKey, ...]
    api_keys_file: Path | None
    rate_limit: tuple[int, int] | None
    redis_url: str
    key_prefix: str
    ack_replicas: int
    log_dir: Path | None
    log_level: str
    log_format: str
    log_max_bytes: int
    log_backups: int
    job_modules: tuple[str, ...]
    default_max_attempts: int
    default_timeout_s: float
    default_backoff_base_s: float
    default_backoff_cap_s: float
    default_give_up_after_s: float | None
    worker_queues: Mapping[str, int]
    worker_processes: int
    lease_s: float
    crash_limit: int
    isolation_runners: int
    shutdown_grace_s: float
    unwind_s: float
    retain_completed: int
    retain_completed_s: float
    retain_dead: int
    retain_dead_s: float
    smtp_url: str
    smtp_token_command: tuple[str, ...]
    smtp_token_file: Path | None
    mail_from: str
    mail_from_allowed: tuple[str, ...]
    outbox_dir: Path
    env_files: tuple[str, ...] = ()
    env_doubts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self._asdict().items() if name not in SECRETIVE)
        return f"Settings({', '.join(shown)})"


class Setting(NamedTuple):
    """One row of the table. `parse` raises ValueError with the words that come behind "NAME: ".

    takes_empty: an empty value is one of its own; of every other setting it means the default.
    """

    name: str
    default: str
    about: str
    parse: Callable[[str], Any]
    takes_empty: bool = False


def load(environ: Mapping[str, str], root: Path, *, listens: bool = True) -> Settings:
    """Settings from `environ`, then from `.env.local` and `.env` in `root`. Raises ConfigError with every fault.

    listens: they are for a process that others may reach by HOST; a worker listens on nothing.
    """
    values = dict(environ)
    files: list[str] = []
    doubts: list[str] = []
    faults: list[str] = []
    for name in ENV_FILES:
        path = root / name
        if not path.is_file():
            continue
        files.append(name)
        found = _read_env_file(path, faults)
        doubts += _doubts(name, found)
        values = {**found, **values}
    checked: dict[str, Any] = {}
    for setting in SETTINGS:
        text = values.get(setting.name, setting.default).strip()
        if not text and not setting.takes_empty:
            text = setting.default  # An empty value stands for it in compose files and unit files.
        try:
            checked[setting.name.lower()] = setting.parse(text)
        except ValueError as fault:
            faults.append(f"{setting.name}: {fault}")
    if listens:  # A worker asks nobody for a key, and may not be let read them.
        faults += _keys_from_file(checked, root)
    faults += _misfits(checked, listens=listens)
    if faults:
        raise ConfigError(faults)
    for name in ("log_dir", "outbox_dir", "smtp_token_file"):
        checked[name] = root / checked[name] if checked[name] else None
    return Settings(**checked, env_files=tuple(files), env_doubts=tuple(doubts))


def _keys_from_file(checked: dict[str, Any], root: Path) -> list[str]:
    """The entries of API_KEYS_FILE, put where those of API_KEYS stand; the faults."""
    file = checked.get("api_keys_file")
    if file is None:
        return []
    if checked.get("api_keys"):
        return ["API_KEYS_FILE: it can't stand beside API_KEYS; keep one of them"]
    try:
        text = (root / file).read_text(encoding="utf-8")
        checked["api_keys"] = api_keys.parse(",".join(line for line in text.split("\n") if not line.startswith("#")))
        if not checked["api_keys"]:
            raise ValueError("it holds no entry, and without any anyone may do anything; if that is meant, unset it")
    except (OSError, ValueError) as fault:
        checked.pop("api_keys", None)  # None is known: they are not "no keys", for which HOST would be a fault as well.
        return [f"API_KEYS_FILE: {fault.strerror if isinstance(fault, OSError) else fault}"]
    return []


def _doubts(file: str, names: Iterable[str]) -> Iterable[str]:
    """The names that are no settings, and all but. (Any other may be meant for another program.)"""
    known = [setting.name for setting in SETTINGS]
    if unknown := [name for name in names if name not in known]:
        import difflib  # Here: it takes as long to import as all else in this module, and is seldom asked.

        for name in unknown:
            for near in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
                yield f"{name} in {file} is not a setting; {near} is"


def _misfits(checked: Mapping[str, Any], *, listens: bool) -> Iterable[str]:
    """The settings that are well alone and not together. What has a fault of its own is not in `checked`."""
    if checked.get("ack_replicas") and "+cluster" in checked.get("redis_url", ""):
        yield "ACK_REPLICAS: not with a Cluster; set 0, and min-replicas-to-write on its nodes"
    yield from _token_misfits(checked)
    if checked.get("default_backoff_base_s", 0) > checked.get("default_backoff_cap_s", inf):
        yield "DEFAULT_BACKOFF_BASE_S: it is above DEFAULT_BACKOFF_CAP_S"
    host = checked.get("host", "localhost") if listens else "localhost"
    # Without keys anyone who reaches the port may do anything, so nothing but this machine may reach it.
    if checked.get("api_keys") == () and not kinds.is_loopback(host):
        yield (
            f"HOST: {host} can be reached from elsewhere, and without API_KEYS anyone who reaches it may do anything; "
            "make a key with python server.py --new-key NAME --scope admin, or set HOST=127.0.0.1"
        )


def _token_misfits(checked: Mapping[str, Any]) -> Iterable[str]:
    names = [name for name in ("SMTP_TOKEN_COMMAND", "SMTP_TOKEN_FILE") if checked.get(name.lower())]
    if not names or "smtp_url" not in checked:
        return
    url = urlsplit(checked["smtp_url"])
    if len(names) > 1:
        yield "SMTP_TOKEN_FILE: not beside SMTP_TOKEN_COMMAND; set one of them"
    elif url.password:
        yield f"{names[0]}: not beside a password in SMTP_URL; take one of them out"
    elif not url.username:
        yield f"{names[0]}: SMTP_URL names no user whose token it is, as in smtps://me%40example.com@smtp.example.com"


def from_environment(root: Path, *, listens: bool = True) -> Settings:
    """What `server.py` and `worker.py` call: this process's own environment."""
    return load(os.environ, root, listens=listens)


def sources(settings: Settings) -> str:
    """Where this process's settings came from: "environment (sets LOG_DIR), .env"."""
    named = [
        setting.name
        for setting in SETTINGS
        if os.environ.get(setting.name, "").strip() or (setting.takes_empty and setting.name in os.environ)
    ]
    return f"environment (sets {', '.join(named) or 'none'}), {', '.join(settings.env_files) or 'no .env'}"


def child_environment() -> dict[str, str]:
    """The environment for a process that this one starts."""
    return dict(os.environ)


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


SETTINGS: tuple[Setting, ...] = (
    Setting("HOST", "127.0.0.1", "IP address to listen on; one that others reach takes API_KEYS", kinds.address),
    Setting("PORT", "8000", "TCP port, 0 to 65535; 0 takes a free one", kinds.whole(0, 65535)),
    Setting(
        "SERVER_PROCESSES",
        "1",
        "processes that serve HTTP on one socket, 1 to 64; MAX_CONNECTIONS is meant of each",
        kinds.whole(1, 64),
    ),
    Setting(
        "MAX_CONNECTIONS", "1000", "open HTTP connections of a server process, 1 to 100000", kinds.whole(1, 100_000)
    ),
    Setting(
        "KEEP_ALIVE_S",
        "75",
        "seconds without a request after which an HTTP connection is closed, 1 to 3600; above that of a load balancer "
        "in front (AWS ALB: 60, Google: 600)",
        kinds.whole(1, 3600),
    ),
    Setting(
        "ALLOWED_HOSTS",
        "localhost,127.0.0.1,[::1]",
        "names in the Host header that are answered, beside HOST; others get 421; * answers any",
        kinds.list_of(kinds.allowed_host),
    ),
    Setting(
        "API_KEYS",
        "",
        f"who may call: {api_keys.FORM}, parted by commas; python server.py --new-key makes one; empty: anyone",
        api_keys.parse,
    ),
    Setting(
        "API_KEYS_FILE",
        "",
        "a file with such entries, one a line, in place of API_KEYS; read anew at SIGHUP, as API_KEYS in .env is, by a "
        "server without a terminal; a relative path begins beside server.py",
        kinds.path_or_none,
    ),
    Setting(
        "RATE_LIMIT",
        "",
        "requests/seconds, as in 600/60: each key's name (without keys: each address) may send 600 at once, and gets "
        "600 back in 60 s; empty: any number",
        kinds.rate,
    ),
    Setting(
        "REDIS_URL",
        "redis://127.0.0.1:6379/0",
        "redis[s]://user:password@host:port/db, unix:///path, redis+sentinel://h1,h2/name, redis+cluster://h1,h2",
        kinds.redis_url,
    ),
    Setting(
        "KEY_PREFIX",
        "wb",
        "first part of every Redis key: letters, digits, _ and -, 32 at most",
        kinds.matching(_PREFIX, "1 to 32 letters, digits, _ and -"),
    ),
    Setting(
        "ACK_REPLICAS",
        "0",
        "replicas that must have a job before it is answered 202, 0 to 10; fewer within 500 ms: 503; not with Cluster",
        kinds.whole(0, 10),
    ),
    Setting(
        "LOG_DIR",
        "logs",
        "folder of app.log and worker.log; relative to the project; LOG_DIR= alone: no files, just the console",
        kinds.path_or_none,
        takes_empty=True,
    ),
    Setting("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", kinds.one_of("DEBUG", "INFO", "WARNING", "ERROR")),
    Setting(
        "LOG_FORMAT",
        "text",
        "text or json: what the console shows; the files are always JSON",
        kinds.one_of("text", "json"),
    ),
    Setting(
        "LOG_MAX_BYTES",
        "52428800",
        "size in bytes at which a log file is rotated, 0 or 65536 and more; 0 leaves it to logrotate",
        lambda text: kinds.whole(65_536, 10**15)(text) if text != "0" else 0,
    ),
    Setting("LOG_BACKUPS", "5", "rotated files kept of each log, 1 to 1000", kinds.whole(1, 1000)),
    Setting(
        "JOB_MODULES",
        "lib.handlers.email",
        "Python modules whose @job functions are known, parted by commas",
        kinds.list_of(kinds.matching(_MODULE, "a module's dotted name")),
    ),
    Setting(
        "DEFAULT_MAX_ATTEMPTS",
        "5",
        "attempts of a job whose type and request say nothing else, 1 to 1000; mails are tried for three days",
        kinds.whole(1, 1000),
    ),
    Setting(
        "DEFAULT_TIMEOUT_S",
        "60",
        "seconds that an attempt may take where its type and request say nothing else, 0.001 to 604800",
        kinds.seconds(0.001, 604_800),
    ),
    Setting(
        "DEFAULT_BACKOFF_BASE_S",
        "2",
        "seconds, about, before the second attempt, where nothing else is said; doubled with each; 0.001 to 316224000",
        kinds.seconds(0.001, 316_224_000),
    ),
    Setting(
        "DEFAULT_BACKOFF_CAP_S",
        "3600",
        "seconds before any attempt at most, where nothing else is said; not below DEFAULT_BACKOFF_BASE_S",
        kinds.seconds(0.001, 316_224_000),
    ),
    Setting(
        "DEFAULT_GIVE_UP_AFTER_S",
        "",
        "seconds behind a job's time after which no attempt begins, where nothing else is said; empty: any number",
        kinds.seconds_or_none(0.001, 316_224_000),
    ),
    Setting(
        "WORKER_QUEUES",
        "email=20,default=20",
        "queue=limit, parted by commas: how many jobs of it each runner runs at a time, 1 to 10000",
        kinds.queue_limits,
    ),
    Setting("WORKER_PROCESSES", "1", "runners of one worker.py, 1 to 256", kinds.whole(1, 256)),
    Setting(
        "LEASE_S",
        "15",
        "seconds without a heartbeat after which a worker's jobs are taken back, 2 to 3600",
        kinds.seconds(2, 3600),
    ),
    Setting(
        "CRASH_LIMIT",
        "3",
        "crashes of its runner after which a job is dead, the last one alone in its runner, 2 to 100",
        kinds.whole(2, 100),
    ),
    Setting(
        "ISOLATION_RUNNERS",
        "4",
        "runners that a worker.py may start for a while beside WORKER_PROCESSES, for jobs that were aboard two runners "
        "that crashed: one job in each, 1 to 64; fewer where job modules take much memory",
        kinds.whole(1, 64),
    ),
    Setting(
        "SHUTDOWN_GRACE_S",
        "25",
        "seconds that running jobs and requests get at a stop, and jobs when their runner retires, 0 to 86400",
        kinds.seconds(0, 86_400),
    ),
    Setting(
        "UNWIND_S",
        "2",
        "seconds that a handler gets to end (its finally) once it is told to stop: by a cancel, at its timeout_s, and "
        "behind SHUTDOWN_GRACE_S; 1 to 60",
        kinds.seconds(1, 60),
    ),
    Setting(
        "RETAIN_COMPLETED",
        "10000",
        "completed jobs kept in each queue, and as many cancelled ones, 0 to 100000000",
        kinds.whole(0, 100_000_000),
    ),
    Setting(
        "RETAIN_COMPLETED_S",
        "604800",
        "seconds that completed and cancelled jobs are kept at most",
        kinds.seconds(0, 10**10),
    ),
    Setting("RETAIN_DEAD", "100000", "dead jobs kept in each queue, 0 to 100000000", kinds.whole(0, 100_000_000)),
    Setting("RETAIN_DEAD_S", "7776000", "seconds that dead jobs are kept at most", kinds.seconds(0, 10**10)),
    Setting(
        "SMTP_URL",
        "",
        "smtp[s]://user:password@host:port?starttls=1; unset, each mail is written as a file into OUTBOX_DIR",
        kinds.smtp_url,
    ),
    Setting(
        "SMTP_TOKEN_COMMAND",
        "",
        "program, with its arguments, that prints the OAuth token of SMTP_URL's user (XOAUTH2) within 20 s; "
        "run without a shell, and again after 5 minutes or a refusal",
        kinds.command,
    ),
    Setting(
        "SMTP_TOKEN_FILE",
        "",
        "file that holds that token, in place of the program; read at each login; relative to the project",
        kinds.path_or_none,
    ),
    Setting(
        "MAIL_FROM",
        "Waybill <waybill@localhost>",
        "sender of the mails, an address or a name with an address",
        kinds.matching(_ADDRESS, "an e-mail address, as in Waybill <waybill@example.com>"),
    ),
    Setting(
        "MAIL_FROM_ALLOWED",
        "",
        "whom a mail's own `from` may name beside MAIL_FROM: addresses, and domains (example.com, without what is "
        "below it), parted by commas",
        kinds.list_of(kinds.matching(_SENDER, "an address or a domain")),
    ),
    Setting(
        "OUTBOX_DIR", "var/outbox", "folder for .eml files where SMTP_URL is unset; relative to the project", kinds.path
    ),
)


def describe(faults: Iterable[str]) -> str:
    """What a refused start prints: a line for every fault, and where the settings are explained."""
    lines = "".join(f"  {fault}\n" for fault in faults)
    return f"Waybill can't start with these settings:\n{lines}prod/.env.example explains every setting.\n"
