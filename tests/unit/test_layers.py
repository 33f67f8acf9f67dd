"""The house's order, read from its sources: who imports whom, what pure rooms leave alone, and that names are told
apart."""

import ast
import re
import sys
import unittest
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Room -> the rooms that it may import, beside itself and the ground (the files that lie in lib/ itself). A room's name
# covers the rooms in it that are not named here: `api` covers `api/bulk`. From the top floor down.
BELOW = {
    "commands": {"queue", "redis_link", "jobs", "settings", "logs"},
    "api": {
        "web",
        "queue",
        "redis_link",
        "manual",
        "dashboard",
        "processes",
        "jobs",
        "http1",
        "http1/server",
        "settings",
        "logs",
    },
    "work/supervisor": {"work", "queue", "redis_link", "processes", "jobs", "settings", "logs"},
    "work/runner": {"work", "queue", "redis_link", "processes", "jobs", "settings", "logs"},
    "work": {"queue", "jobs", "logs"},
    "handlers": {"http1/client", "jobs", "settings"},
    "web": {"http1", "settings", "logs"},
    "queue": {"redis_link", "jobs", "logs"},
    "manual": set[str](),
    "dashboard": set[str](),
    "processes": {"settings", "logs"},
    "testing": {"jobs"},
    "redis_link": {"settings", "logs"},
    "jobs": {"http1/client", "settings", "logs"},
    "http1/server": {"http1"},
    "http1/client": {"http1"},
    "http1": set[str](),
    "settings": set[str](),
    "logs": set[str](),
    "": set[str](),
}
# What a module that calls itself pure leaves alone.
WORLD = {"asyncio", "socket", "threading", "subprocess", "redis"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Module name and syntax tree, of lib/ and the two commands."""
    for path in [*sorted((ROOT / "lib").rglob("*.py")), ROOT / "server.py", ROOT / "worker.py"]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), ast.parse(path.read_text(encoding="utf-8"))


def room_of(module: str) -> str:
    """lib.work.runner.prefetch.pace -> work/runner; "" for the ground."""
    folders = module.split(".")[1:]
    while folders and "/".join(folders) not in BELOW:
        folders.pop()
    return "/".join(folders)


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported anywhere in a file, in functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            # `from lib.queue import keys` names the module `lib.queue.keys`; `from lib.queue.keys import BELL` does
            # not.
            yield from (name if is_module(name) else node.module or "" for name in names)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


class Layers(unittest.TestCase):
    def test_a_room_imports_the_rooms_below_it_alone(self) -> None:
        for name, tree in sources():
            if name.startswith("lib"):
                room = room_of(name)
                for other in {other for other in imported(tree) if other.startswith("lib.")}:
                    with self.subTest(name, imports=other):
                        self.assertIn(room_of(other), {*BELOW[room], room, ""})

    def test_every_room_is_known_here(self) -> None:
        rooms = {room_of(name) for name, _ in sources() if name.startswith("lib")}
        folders = {path.parent.name for path in (ROOT / "lib").glob("*/__init__.py")}

        self.assertEqual(set(BELOW), rooms)
        self.assertEqual({room.split("/")[0] for room in BELOW} - {""}, folders)

    def test_the_rooms_stand_in_their_order(self) -> None:
        order = list(BELOW)
        for room, below in BELOW.items():
            for other in below:
                self.assertLess(order.index(room), order.index(other), f"{room} imports {other}")

    def test_nothing_imports_the_commands_or_the_tests(self) -> None:
        for name, tree in sources():
            self.assertFalse({"server", "worker", "tests", "prod"} & {o.split(".")[0] for o in imported(tree)}, name)

    def test_redis_is_imported_in_one_room_alone(self) -> None:
        rooms = {room_of(name) for name, tree in sources() if any(o.split(".")[0] == "redis" for o in imported(tree))}

        self.assertEqual({"redis_link"}, rooms)

    def test_the_environment_is_read_in_config_alone(self) -> None:
        names = {"environ", "environb", "getenv", "putenv"}
        found = {
            name
            for name, tree in sources()
            for node in ast.walk(tree)
            if (isinstance(node, ast.Attribute) and node.attr in names)
            or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names})
        }

        self.assertEqual({"lib.settings.config"}, found)

    def test_nothing_but_the_standard_library_and_redis_is_needed(self) -> None:
        allowed = {*sys.stdlib_module_names, "lib", "redis"}
        for name, tree in sources():
            self.assertEqual(set(), {other.split(".")[0] for other in imported(tree)} - allowed, name)

    def test_no_code_is_made_of_text(self) -> None:
        """eval, exec and compile, under these names or as builtins' attributes; `re.compile` and the like are none."""
        makers = {"eval", "exec", "compile"}
        for name, tree in sources():
            used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & makers
            used |= {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and "builtins" in node.value.id
            } & makers
            self.assertEqual(set(), used, name)
            self.assertNotIn("builtins", imported(tree), name)

    def test_what_calls_itself_pure_leaves_the_world_alone(self) -> None:
        pure = {name: tree for name, tree in sources() if re.search(r"\b[Pp]ure\b", ast.get_docstring(tree) or "")}
        for name, tree in pure.items():
            self.assertEqual(set(), WORLD & {other.split(".")[0] for other in imported(tree)}, name)

        self.assertGreater(len(pure), 20)


class Names(unittest.TestCase):
    def test_no_two_public_classes_share_a_name(self) -> None:
        # lib.testing has the JobContext of lib.jobs.registry once more, on purpose: a test of a handler imports that
        # one.
        names = Counter(
            node.name
            for module, tree in sources()
            if room_of(module) != "testing"
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        )

        self.assertEqual([], [name for name, count in names.items() if count > 1])

    def test_no_two_modules_share_a_name(self) -> None:
        names = Counter(path.stem for path in (ROOT / "lib").rglob("*.py") if path.stem != "__init__")

        self.assertEqual([], [name for name, count in names.items() if count > 1])

    def test_a_file_that_a_comment_names_is_there(self) -> None:
        texts = [*(ROOT / "lib").rglob("*.py"), *(ROOT / "lib").rglob("*.lua"), ROOT / "server.py", ROOT / "worker.py"]
        tests = (
            path.name for pattern in ("*.py", "[a-z]*/*.py", "unit/**/*.py") for path in (ROOT / "tests").glob(pattern)
        )
        names = {"email.py", "client.py", *tests, *(path.name for path in texts)}  # Files of others, in examples.
        for path in texts:
            named = set(re.findall(r"(?<![\w-])\w+\.(?:py|lua)\b", path.read_text(encoding="utf-8")))

            self.assertEqual(set(), named - names, path)


if __name__ == "__main__":
    unittest.main()
