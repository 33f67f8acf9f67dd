"""The system's package installer, whichever this machine has: a package in, a program on the PATH out, or a reason.

It asks for a password only where somebody sits at a terminal, and waits for nothing for ever.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

STEP_S = 900


@dataclass(frozen=True, slots=True)
class Installer:
    """One program: the arguments that refresh its lists (none: it does so by itself) and those before the package."""

    program: str
    refresh: tuple[str, ...]
    install: tuple[str, ...]
    needs_root: bool = True


INSTALLERS = (
    # Without the lock's timeout apt-get fails at once while unattended-upgrades runs, as it does on a fresh machine.
    Installer(
        "apt-get",
        ("-o", "DPkg::Lock::Timeout=120", "-qq", "update"),
        ("-o", "DPkg::Lock::Timeout=120", "-qq", "install", "-y", "--no-install-recommends"),
    ),
    Installer("dnf", (), ("-q", "-y", "install")),
    Installer("yum", (), ("-q", "-y", "install")),
    Installer("apk", (), ("add", "--quiet", "--no-cache")),
    Installer("pacman", ("-Sy", "--noconfirm"), ("-S", "--noconfirm", "--needed")),
    Installer("zypper", (), ("--quiet", "--non-interactive", "install")),
    Installer("brew", (), ("install", "--quiet"), needs_root=False),
)


def install(packages: Mapping[str, tuple[str, ...]], is_there: Callable[[], bool]) -> str:
    """Tries each installer's `packages` in turn until `is_there`. Returns why not; empty where it worked."""
    reasons = []
    for installer in INSTALLERS:
        names = packages.get(installer.program, ())
        if not names or not shutil.which(installer.program):
            continue
        before = _rights(installer)
        if before is None:
            reasons.append(f"{installer.program} needs root, and sudo is not possible here")
            continue
        if installer.refresh:
            _step([*before, installer.program, *installer.refresh])
        for name in names:
            reason = _step([*before, installer.program, *installer.install, name])
            if is_there():
                return ""
            reasons.append(reason or f"{name} did not bring it")
    return "; ".join(reasons) or "no package installer is known here"


def _rights(installer: Installer) -> list[str] | None:
    """The words that go before; None where root is needed and can't be had."""
    # A package that asks a question on install would wait for an answer that nobody gives.
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if not installer.needs_root:
        return []
    if os.geteuid() == 0:
        return quiet
    if not shutil.which("sudo"):
        return None
    if subprocess.run(["sudo", "-n", "true"], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL).returncode == 0:
        return ["sudo", "-n", *quiet]
    return ["sudo", *quiet] if sys.stdin.isatty() else None


def _step(words: list[str]) -> str:
    """Runs one command with its talk kept back. Returns the end of what it said where it failed, else nothing."""
    print(f"Installing: {' '.join(words)}")
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=STEP_S
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return str(fault)
    said = " ".join(done.stdout.decode(errors="replace").split())
    return f"{words[-1]}: {said[-200:]}" if done.returncode else ""
