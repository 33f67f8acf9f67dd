"""A Redis for this machine: one that is there, or one of our own in a folder; its address out.

1. One that answers PING on 127.0.0.1:6379 is used as it is, unless it is too old or asks for a password.
2. Else redis-server or valkey-server is started with its data in a folder of ours, and installed first where missing.
3. Two servers in one folder would ruin each other's files. So a lock lies there, which the server itself holds open: it
   is free the moment the server is gone, whatever ended it, and taken as long as one lives. Who finds it taken uses
   the server that holds it.
"""

import fcntl
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from prod.local import LocalError
from prod.local.packages import install
from prod.local.processes import Crew, free_port

USUAL_PORT = 6379
OLDEST = (7, 0)
PROGRAMS = ("redis-server", "valkey-server")
START_S = 60.0
# openSUSE keeps servers in sbin, which is not on everybody's PATH; a Mac's make may not have brew's folder.
MORE_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
PACKAGES = {
    "apt-get": ("redis-server", "valkey-server"),
    "dnf": ("valkey", "redis"),
    "yum": ("valkey", "redis"),
    "apk": ("redis", "valkey"),
    "pacman": ("valkey", "redis"),
    "zypper": ("valkey", "redis"),
    "brew": ("redis", "valkey"),
}
INSTALL = "install redis-server or valkey-server, 7.0 or newer"
WAYS_OUT = f"set REDIS_URL, or start a Redis on 127.0.0.1:{USUAL_PORT}, or {INSTALL}"


def find_or_start(crew: Crew, folder: Path, say: Callable[[str], None] = print) -> str:
    """The URL of a Redis that answers. Raises LocalError with the three ways out where there can be none."""
    if not is_usable(USUAL_PORT, say):
        was_there = binary()
        program = was_there or binary_or_install(WAYS_OUT)
        # Debian's package starts a service of its own on the usual port: just installed, that is one that answers.
        if was_there or not is_usable(USUAL_PORT, say):
            return start(crew, program, folder, USUAL_PORT if _is_free(USUAL_PORT) else free_port(), say)
    say(f"Redis found: 127.0.0.1:{USUAL_PORT}")
    return _url(USUAL_PORT)


def start(crew: Crew, program: str, folder: Path, port: int, say: Callable[[str], None] = print) -> str:
    """Our own, with its data in `folder`, stopped with the crew; or the one that already runs there."""
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / "port"
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _running(folder, about, say)
        about.write_text(str(port), encoding="utf-8")
        crew.start("redis", _command(program, folder, port), keeps_open=lock.fileno(), leaves_last=True)
    say(f"Redis started: 127.0.0.1:{port}, its data in {folder}")
    crew.until(lambda: _greeting(port) == "+PONG", START_S, f"Redis does not answer; see {folder / 'redis.log'}")
    return _url(port)


def _running(folder: Path, about: Path, say: Callable[[str], None]) -> str:
    port = about.read_text(encoding="utf-8")
    if not port.isdigit() or not is_usable(int(port), say):
        raise LocalError(f"A Redis holds {folder} but does not answer; stop it, or {WAYS_OUT}.")
    say(f"Redis found: 127.0.0.1:{port}, its data in {folder}")
    return _url(int(port))


def _command(program: str, folder: Path, port: int) -> list[str]:
    settings = {
        "bind": "127.0.0.1",
        "port": str(port),
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        # A queue that forgets its oldest jobs when memory is short has lost them: refuse new ones instead.
        "maxmemory-policy": "noeviction",
        "save": "",
        "loglevel": "notice",
        "logfile": str(folder / "redis.log"),
    }
    return [program, *(word for name, value in settings.items() for word in (f"--{name}", value))]


def is_usable(port: int, say: Callable[[str], None] = print) -> bool:
    """Whether a Redis that Waybill can use answers on that port of this machine."""
    greeting = _greeting(port)
    if greeting.startswith(("-NOAUTH", "-DENIED")):
        say(f"The Redis on 127.0.0.1:{port} asks for a password; to use it, set REDIS_URL.")
    # Loading: it reads its files after a start and will answer soon; the service waits for it.
    if greeting != "+PONG" and not greeting.startswith("-LOADING"):
        return False
    version = _version(_asked(port, "INFO server"))
    if version and version < OLDEST:
        say(f"The Redis on 127.0.0.1:{port} is {'.'.join(map(str, version))}; Waybill needs 7.0 or Valkey.")
        return False
    return True


def _greeting(port: int) -> str:
    return _asked(port, "PING").partition("\r\n")[0]


def _asked(port: int, command: str) -> str:
    """What Redis answers to one inline command; nothing where nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as link:
            link.sendall(f"{command}\r\nQUIT\r\n".encode())
            with link.makefile("rb") as answer:
                return answer.read(65_536).decode(errors="replace")
    except OSError:
        return ""


def _version(text: str) -> tuple[int, int] | None:
    match = re.search(r"(?:redis_version:|v=)(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def binary() -> str:
    """The path of a server program that is new enough, or nothing."""
    return next((path for path, version in _binaries() if version >= OLDEST), "")


def binary_or_install(ways_out: str = INSTALL) -> str:
    """The same; installs it where it is missing. Raises LocalError with what stood in the way and the ways out: the
    tests and the demo start servers of their own, so a Redis that runs elsewhere is none."""
    if program := binary():
        return program
    reason = install(PACKAGES, lambda: bool(binary()))
    if program := binary():
        return program
    for path, version in _binaries():
        reason = f"{path} is {'.'.join(map(str, version))}, 7.0 is the oldest that will do; {reason}"
    raise LocalError(f"No Redis here ({reason}): {ways_out}.")


def _binaries() -> list[tuple[str, tuple[int, int]]]:
    folders = os.pathsep.join((os.defpath, *MORE_FOLDERS))
    found = []
    for name in PROGRAMS:
        path = shutil.which(name) or shutil.which(name, path=folders)
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
            found.append((path, _version(said) or (0, 0)))
    return found
