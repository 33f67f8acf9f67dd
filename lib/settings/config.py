"""Reads the settings: environment and env files in, one frozen `Settings` out, or a ConfigError with every fault.

`server.py` and `worker.py` call `from_environment` once and hand the Settings down; no other module reads os.environ. A
value that is not understood stops the start with exit status 78, because a queue that runs with half of its settings
loses mail without a word. What settings there are stands in settings_table.py.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from lib.errors import ConfigError
from lib.settings import api_keys, kinds
from lib.settings.needs import EXIT_CONFIG as EXIT_CONFIG
from lib.settings.settings_table import SETTINGS
from lib.settings.settings_table import Settings as Settings

ENV_FILES = (".env.local", ".env")
_PATHS = ("log_dir", "outbox_dir", "smtp_token_file", "otel_exporter_otlp_certificate")
_ENV_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


def from_environment(root: Path, *, listens: bool = True) -> Settings:
    """What `server.py` and `worker.py` call: `load` with this process's own environment."""
    return load(os.environ, root, listens=listens)


def load(environ: Mapping[str, str], root: Path, *, listens: bool = True) -> Settings:
    """Settings from `environ`, then from `.env.local`, then from `.env` in the folder `root`. Raises ConfigError.

    listens: whether the settings are for a process that others may reach by HOST. A worker listens on nothing, and may
    not be allowed to read API_KEYS_FILE.
    """
    faults: list[str] = []
    files = _env_files(root, faults)
    texts = dict(environ)
    for file in files:
        texts = {**file.texts, **texts}
    values = _parsed(texts, faults)
    if listens:
        faults += _keys_from_file(values, root)
    faults += _misfits(values, listens=listens)
    if faults:
        raise ConfigError(faults)
    for name in _PATHS:
        values[name] = root / values[name] if values[name] else None
    doubts = [doubt for file in files for doubt in _doubts(file)]
    return Settings(**values, env_files=tuple(file.name for file in files), env_doubts=tuple(doubts))


def sources(settings: Settings) -> str:
    """Where this process's settings came from: "environment (sets LOG_DIR), .env"."""
    named = [
        setting.name
        for setting in SETTINGS
        if os.environ.get(setting.name, "").strip() or (setting.takes_empty and setting.name in os.environ)
    ]
    return f"environment (sets {', '.join(named) or 'none'}), {', '.join(settings.env_files) or 'no .env'}"


def child_environment() -> dict[str, str]:
    """The environment of this process, to start a child process with."""
    return dict(os.environ)


def describe(faults: Iterable[str]) -> str:
    """What a refused start prints: a line for every fault, and where the settings are explained."""
    lines = "".join(f"  {fault}\n" for fault in faults)
    return f"Waybill can't start with these settings:\n{lines}prod/.env.example explains every setting.\n"


def _parsed(texts: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """{"port": 8000, …}: each setting's value, under its name in Settings. One with a fault is left out."""
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = texts.get(setting.name, setting.default).strip()
        if not text and not setting.takes_empty:
            text = setting.default  # In compose files and unit files, an empty value stands for the default.
        try:
            values[setting.name.lower()] = setting.parse(text)
        except ValueError as fault:
            if setting.name.startswith("OTEL_") and not _exports_spans(texts):
                values[setting.name.lower()] = setting.parse(setting.default)
                continue
            faults.append(f"{setting.name}: {fault}")
    return values


def _exports_spans(texts: Mapping[str, str]) -> bool:
    """WHY it is asked: the environment may have OTEL_… for other programs. What is unknown here must not keep a Waybill
    from its start that exports nothing."""
    if texts.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return any(texts.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip() for name in ("ENDPOINT", "TRACES_ENDPOINT"))


# Env files.


class EnvFile(NamedTuple):
    """An env file that was found: {"PORT": "8000"} are its `texts`."""

    name: str
    texts: dict[str, str]


def _env_files(root: Path, faults: list[str]) -> list[EnvFile]:
    """The files of ENV_FILES that exist, in that order: of a name that two files set, the first file's value counts."""
    paths = [root / name for name in ENV_FILES]
    return [EnvFile(path.name, _read_env_file(path, faults)) for path in paths if path.is_file()]


def _read_env_file(path: Path, faults: list[str]) -> dict[str, str]:
    """NAME=value a line; `export`, # comments and quotes as shells and docker know them, but nothing is expanded."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as fault:
        faults.append(f"{path.name} can't be read: {fault}")
        return {}
    texts = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if not line or line.startswith("#"):
            continue
        match = _ENV_LINE.fullmatch(line)
        if not match:
            faults.append(f"{path.name} line {number} is not NAME=value")
            continue
        texts[match[1]] = _unquoted(match[2])
    return texts


def _unquoted(text: str) -> str:
    """The value without its quotes, or without the comment behind it."""
    if text[:1] in ("'", '"'):
        end = text.find(text[0], 1)
        if end > 0:
            return text[1:end]
    return re.split(r"\s#", text, maxsplit=1)[0].rstrip() if not text.startswith("#") else ""


def _doubts(file: EnvFile) -> Iterator[str]:
    """A sentence for each name in the file that is nearly a setting's, as LOG_LEVL. (Any other name that is no setting
    may be meant for another program.)"""
    known = [setting.name for setting in SETTINGS]
    if unknown := [name for name in file.texts if name not in known]:
        import difflib  # Here: it takes as long to import as all else in this module, and is seldom needed.

        for name in unknown:
            for near in difflib.get_close_matches(name, known, n=1, cutoff=0.85):
                yield f"{name} in {file.name} is not a setting; {near} is"


# Settings that depend on one another. A setting with a fault of its own is not in `values`.


def _keys_from_file(values: dict[str, Any], root: Path) -> list[str]:
    """Put the entries of API_KEYS_FILE in the place of those of API_KEYS. Gives the faults."""
    file = values.get("api_keys_file")
    if file is None:
        return []
    if values.get("api_keys"):
        return ["API_KEYS_FILE: it can't stand beside API_KEYS; keep one of them"]
    try:
        text = (root / file).read_text(encoding="utf-8")
        values["api_keys"] = api_keys.parse(",".join(line for line in text.split("\n") if not line.startswith("#")))
        if not values["api_keys"]:
            raise ValueError("it holds no entry, and without any anyone may do anything; if that is meant, unset it")
    except (OSError, ValueError) as fault:
        # Not (): that would mean that no keys are asked for, and `_misfits` would find a fault with HOST as well.
        values.pop("api_keys", None)
        return [f"API_KEYS_FILE: {fault.strerror if isinstance(fault, OSError) else fault}"]
    return []


def _misfits(values: Mapping[str, Any], *, listens: bool) -> Iterator[str]:
    """A fault for each pair of settings that do not go together."""
    if values.get("ack_replicas") and "+cluster" in values.get("redis_url", ""):
        yield "ACK_REPLICAS: not with a Cluster; set 0, and min-replicas-to-write on its nodes"
    yield from _token_misfits(values)
    if values.get("default_backoff_base_s", 0) > values.get("default_backoff_cap_s", inf):
        yield "DEFAULT_BACKOFF_BASE_S: it is above DEFAULT_BACKOFF_CAP_S"
    host = values.get("host", "localhost") if listens else "localhost"
    # Without keys everyone who reaches the port may do anything: then only this machine may reach the port.
    if values.get("api_keys") == () and not kinds.is_loopback(host):
        yield (
            f"HOST: {host} can be reached from elsewhere, and without API_KEYS anyone who reaches it may do anything; "
            "make a key with python server.py --new-key NAME --scope admin, or set HOST=127.0.0.1"
        )


def _token_misfits(values: Mapping[str, Any]) -> Iterator[str]:
    """A fault where SMTP_TOKEN_COMMAND or SMTP_TOKEN_FILE does not go with the other or with SMTP_URL."""
    names = [name for name in ("SMTP_TOKEN_COMMAND", "SMTP_TOKEN_FILE") if values.get(name.lower())]
    if not names or "smtp_url" not in values:
        return
    url = urlsplit(values["smtp_url"])
    if len(names) > 1:
        yield "SMTP_TOKEN_FILE: not beside SMTP_TOKEN_COMMAND; set one of them"
    elif url.password:
        yield f"{names[0]}: not beside a password in SMTP_URL; take one of them out"
    elif not url.username:
        yield f"{names[0]}: SMTP_URL names no user whose token it is, as in smtps://me%40example.com@smtp.example.com"
