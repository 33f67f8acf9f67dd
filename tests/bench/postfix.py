"""A Postfix of one's own: a mail server as hosts have it. It takes mails to its queue on disk, and drops them there.

mail_sink.py costs next to nothing, and shows what the client costs; this one shows what is left of that beside a server
that does its work. It needs Postfix installed, and root: its master gives itself up to the user `postfix`.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.start import free_port
from tests.private_redis import wait_until

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = mx.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
default_transport = discard
smtpd_client_connection_count_limit = 0
"""
_MASTER = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_QUEUE = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")


def is_here() -> bool:
    return shutil.which("postconf") is not None and os.geteuid() == 0


@contextmanager
def postfix() -> Iterator[int]:
    """The port on loopback where it takes mails."""
    said = subprocess.run(["postconf", "-dh", "daemon_directory"], stdout=subprocess.PIPE, text=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="wb-postfix-") as name:
        folder = Path(name)
        port = free_port()
        _furnish(folder, port)
        master = subprocess.Popen([Path(said.strip()) / "master", "-d", "-c", folder / "etc"])
        try:
            wait_until(lambda: _listens(port), "Postfix listens")
            yield port
        finally:
            master.terminate()
            master.wait()


def _furnish(folder: Path, port: int) -> None:
    folder.chmod(0o755)  # its daemons look into it as another user
    for part in ("etc", "queue", "queue/pid"):
        (folder / part).mkdir()
    for part in ("data", *(f"queue/{part}" for part in _QUEUE)):
        _private(folder / part, "postfix", 0o700)
    _private(folder / "queue/public", "postdrop", 0o710)
    _private(folder / "queue/maildrop", "postdrop", 0o1730)
    (folder / "etc/main.cf").write_text(_MAIN.format(folder=folder))
    (folder / "etc/master.cf").write_text(_MASTER.format(port=port))


def _private(part: Path, group: str, mode: int) -> None:
    part.mkdir()
    shutil.chown(part, "postfix", group)
    part.chmod(mode)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
