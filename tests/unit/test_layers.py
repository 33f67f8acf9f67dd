"""Imports run downward only: which room may import which, read from the sources."""

import ast
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The base: what lies in lib/ itself.
BASE = frozenset({"lib", *(f"lib.{path.stem}" for path in (ROOT / "lib").glob("[a-z]*.py"))})
# Room -> the rooms that it may import, beside its own and the base.
BELOW = {
    "api": {"queue", "http1", "jobs", "manual"},
    "work": {"queue", "http1", "jobs", "processes"},
    "handlers": {"jobs"},
    "queue": {"jobs"},
    "http1": set[str](),
    "manual": set[str](),
    "testing": {"jobs"},
    "jobs": set[str](),
    "processes": set[str](),
}


def sources() -> Iterator[tuple[str, str, ast.Module]]:
    """Module name, its room ("" for the base and the two commands), and its syntax tree."""
    for path in [*sorted((ROOT / "lib").rglob("*.py")), ROOT / "server.py", ROOT / "worker.py"]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        room = parts[1] if len(parts) > 2 else ""
        yield name, room, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported anywhere in it, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            yield node.module or ""
            # `from lib.queue import client` names a module as well.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


class Layers(unittest.TestCase):
    def test_a_room_imports_the_rooms_below_it_alone(self) -> None:
        for name, room, tree in sources():
            if not room:
                continue
            for other in {other for other in imported(tree) if other.startswith("lib") and is_module(other)} - BASE:
                with self.subTest(name, imports=other):
                    self.assertIn(other.split(".")[1], {*BELOW[room], room})

    def test_every_room_is_known_here(self) -> None:
        self.assertEqual(set(BELOW), {room for _, room, _ in sources()} - {""})

    def test_the_base_imports_no_room(self) -> None:
        for name, _, tree in sources():
            if name in BASE:
                found = {other for other in imported(tree) if other.startswith("lib") and is_module(other)}
                self.assertLessEqual(found, BASE, name)

    def test_nothing_imports_the_commands_or_the_tests(self) -> None:
        for name, _, tree in sources():
            self.assertFalse({"server", "worker", "tests", "prod"} & {o.split(".")[0] for o in imported(tree)}, name)

    def test_redis_is_imported_in_the_queue_alone(self) -> None:
        rooms = {
            room or name for name, room, tree in sources() if any(o.split(".")[0] == "redis" for o in imported(tree))
        }

        self.assertEqual({"queue"}, rooms)

    def test_the_environment_is_read_in_config_alone(self) -> None:
        names = {"environ", "environb", "getenv", "putenv"}
        found = {
            name
            for name, _, tree in sources()
            for node in ast.walk(tree)
            if (isinstance(node, ast.Attribute) and node.attr in names)
            or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names})
        }

        self.assertEqual({"lib.config"}, found)

    def test_nothing_but_the_standard_library_and_redis_is_needed(self) -> None:
        allowed = {*sys.stdlib_module_names, "lib", "redis"}
        for name, _, tree in sources():
            self.assertEqual(set(), {other.split(".")[0] for other in imported(tree)} - allowed, name)


if __name__ == "__main__":
    unittest.main()
