"""What `make run RELOAD=1` looks at, and what it makes of an edit."""

import os
import tempfile
import unittest
from pathlib import Path

from prod.local import ROOT, reload


class Look(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())).resolve()

    def file(self, name: str, text: str = "") -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    def seen(self) -> reload.Seen:
        return dict(reload.look([str(self.folder)]))

    def test_code_and_env_files_are_looked_at_and_nothing_else(self) -> None:
        code = [self.file(name) for name in ("a.py", "b/c/d.py", "e.lua", ".env", ".env.local")]
        for name in (
            "f.txt",
            "__pycache__/a.py",
            ".git/a.py",
            "node_modules/a.py",
            "env/lib/a.py",
            "env/pyvenv.cfg",
            ".#a.py",
        ):
            self.file(name)
        (self.folder / "gone.py").symlink_to(self.folder / "nowhere")

        self.assertEqual(sorted(code), sorted(self.seen()))

    def test_of_waybill_it_is_what_server_and_worker_import(self) -> None:
        seen = {path.removeprefix(f"{ROOT}/") for path in dict(reload.look(reload.folders("")))}

        self.assertLessEqual({"server.py", "worker.py", "lib/settings/config.py", "lib/queue/lua/jobs/claim.lua"}, seen)
        self.assertFalse({path for path in seen if path.startswith(("tests/", "prod/", ".venv"))})

    def test_pythonpath_is_looked_at_as_well(self) -> None:
        entries = os.pathsep.join(["", str(self.folder), str(self.folder)])

        self.assertEqual([str(ROOT), str(self.folder)], reload.folders(entries))

    def test_edits_new_files_and_deleted_ones_are_told_apart_from_what_is_as_it_was(self) -> None:
        kept, edited, deleted, renewed = (self.file(f"{name}.py", "1") for name in "abcd")
        before = self.seen()

        Path(edited).write_text("22")
        Path(deleted).unlink()
        new = self.file("new.py")
        stat = Path(renewed).stat()
        copy = self.file("copy", "2")
        os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        Path(copy).rename(renewed)

        self.assertEqual(sorted([edited, deleted, new, renewed]), reload.differing(before, self.seen()))
        self.assertNotIn(kept, reload.differing(before, self.seen()))

    def test_a_file_that_is_no_python_is_named_with_its_line(self) -> None:
        fine, broken, null = self.file("a.py", "x = 1\n"), self.file("b.py", "x = 1\nx = (\n"), self.file("c.py", "\0")
        lua = self.file("d.lua", "local x = (")

        faults = reload.syntax_faults([fine, broken, null, lua, str(self.folder / "gone.py")])

        self.assertEqual([broken, null], [*faults])
        self.assertTrue(faults[broken].startswith(f"{broken}, line 2: "), faults)

    def test_its_bytecode_is_forgotten_and_no_other(self) -> None:
        self.file("__pycache__/a.cpython-311.pyc")
        other = self.file("__pycache__/ab.cpython-311.pyc")

        reload.forget_compiled([self.file("a.py"), str(self.folder / "x" / "y.py")])

        self.assertEqual([other], [str(path) for path in (self.folder / "__pycache__").iterdir()])

    def test_a_few_are_shown_by_name(self) -> None:
        self.assertEqual("lib/a.py, /x/b.py", reload.shown([f"{ROOT}/lib/a.py", "/x/b.py"]))
        self.assertEqual("a, b, c and 2 more", reload.shown(["a", "b", "c", "d", "e"]))


if __name__ == "__main__":
    unittest.main()
