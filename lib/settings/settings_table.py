"""Every setting: its type in `Settings`, and a row of the table SETTINGS with its name, default, meaning and parser.

A row, and the value that its parser makes of a text:

    Setting("LEASE_S", "15", "seconds without a heartbeat after which …, 2 to 3600", kinds.seconds(2, 3600))
    LEASE_S=20   ->   settings.lease_s == 20.0

To add a setting: a field in Settings, a row in SETTINGS, and the row's lines in `prod/.env.example`, which shows the
same names, meanings and defaults in the same order; a test holds both equal. config.py reads the values.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lib.settings import api_keys, kinds, otel_rows
from lib.settings.api_keys import ApiKey
from lib.settings.otel_rows import Pairs

SECRETIVE = (
    *("redis_url", "smtp_url", "smtp_token_command", "webhook_secret", "webhook_proxy"),
    *("otel_exporter_otlp_endpoint", "otel_exporter_otlp_traces_endpoint"),
    *("otel_exporter_otlp_headers", "otel_exporter_otlp_traces_headers"),
)

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,32}")
_ADDRESS = re.compile(r"[^\s<>@]+@[^\s<>@]+|[^<>\r\n]*<[^\s<>@]+@[^\s<>@]+>")
_SENDER = re.compile(r"(?:[^\s<>@]+@|@)?[^\s<>@]+")


class Settings(NamedTuple):
    """The value of every setting, checked. Times are in seconds, sizes in bytes. SECRETIVE settings, which may hold a
    password, are not in the repr.

    WHY not a dataclass: worker.py imports this before it spawns its runners, and `dataclasses` imports half of Python.
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
    dashboard: bool
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
    runner_max_jobs: int
    runner_max_mb: int
    shutdown_grace_s: float
    unwind_s: float
    error_tracebacks: str
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
    webhook_secret: str
    webhook_allow_private: str
    webhook_ca_file: Path | None
    webhook_proxy: str
    public_url: str
    otel_exporter_otlp_endpoint: str
    otel_exporter_otlp_traces_endpoint: str
    otel_exporter_otlp_headers: Pairs
    otel_exporter_otlp_traces_headers: Pairs
    otel_exporter_otlp_protocol: str
    otel_exporter_otlp_compression: str
    otel_exporter_otlp_timeout: int
    """In milliseconds, as OpenTelemetry has it."""
    otel_exporter_otlp_certificate: Path | None
    otel_service_name: str
    otel_resource_attributes: Pairs
    otel_traces_sampler: str
    otel_traces_sampler_arg: float
    otel_sdk_disabled: bool
    env_files: tuple[str, ...] = ()
    """The env files that were read, as (".env",)."""
    env_doubts: tuple[str, ...] = ()
    """Sentences about names in these files that are nearly those of settings."""

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in self._asdict().items() if name not in SECRETIVE)
        return f"Settings({', '.join(shown)})"


class Setting(NamedTuple):
    """One row of the table. `about` is what prod/.env.example says of the setting. `parse` turns a text into the value,
    or raises ValueError, whose words follow "NAME: ".

    takes_empty: an empty text has a meaning of its own. For every other setting it stands for the default.
    """

    name: str
    default: str
    about: str
    parse: Callable[[str], Any]
    takes_empty: bool = False


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
        "DASHBOARD",
        "1",
        "1 serves the dashboard, a page at /; 0 does not; an open tab of it takes one connection, and some 10 requests "
        "a minute of RATE_LIMIT",
        kinds.switch,
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
        "lib.handlers.email,lib.handlers.webhook",
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
        "email=20,default=20,webhook=20",
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
        "RUNNER_MAX_JOBS",
        "0",
        "attempts that a runner ends before a new process takes its place, 0 to 1000000000; 0: any number",
        kinds.whole(0, 10**9),
    ),
    Setting(
        "RUNNER_MAX_MB",
        "0",
        "memory (RSS, in units of 2^20 bytes) at which a new process takes a runner's place, 0 to 1000000; 0: never",
        kinds.whole(0, 1_000_000),
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
        "ERROR_TRACEBACKS",
        "on",
        "on or off: whether the error of a failed attempt keeps where in the code it was raised (files and lines of "
        "code); worker.log has that of dead jobs all the same",
        kinds.one_of("on", "off"),
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
    Setting(
        "WEBHOOK_SECRET",
        "",
        "secret that signs webhooks whose payload has none: whsec_ and the base64 of 24 to 64 bytes (openssl rand "
        "-base64 32 makes it); while it is changed, the new and the old one, parted by a blank; a callback_url needs "
        "it",
        str,
    ),
    Setting(
        "WEBHOOK_ALLOW_PRIVATE",
        "",
        "where webhooks may go beside public addresses: networks and names, parted by commas, as in "
        "10.0.0.0/8,orders.internal; 1: all private and loopback addresses; empty: none",
        str,
    ),
    Setting(
        "WEBHOOK_CA_FILE",
        "",
        "file of certificates (PEM) that webhooks trust beside the system's; relative to the project",
        kinds.path_or_none,
    ),
    Setting(
        "WEBHOOK_PROXY",
        "",
        "http://user:password@host:port of a proxy (CONNECT) through which all webhooks go; it looks names up and vets "
        "them; the environment's own proxies are never used",
        str,
    ),
    Setting(
        "PUBLIC_URL",
        "",
        "URL under which others reach this server, as in https://waybill.example.com; needed where webhooks are ended "
        "by a callback; its host counts as one of ALLOWED_HOSTS",
        kinds.public_url,
    ),
    *(Setting(*row) for row in otel_rows.ROWS),
)
