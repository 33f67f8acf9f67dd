"""The import of a job module, and what is faults of one that can't be imported."""

import sys
import unittest

from lib.jobs.registry import load
from tests.unit.jobs.module_case import LoadCase


class Modules(LoadCase):
    """What a module may do when it is imported."""

    def test_whatever_it_raises_is_reported_and_an_exception_that_can_not_be_shown_as_well(self) -> None:
        raised = {
            "cancelled": "import asyncio; raise asyncio.CancelledError",
            "generator": "raise GeneratorExit",
            "keyboard": "raise KeyboardInterrupt",
            "exits": "raise SystemExit(0)",
            "stops": "raise StopIteration",
            "group": "raise BaseExceptionGroup('two', [SystemExit(1), KeyboardInterrupt()])",
            "own": "class Own(BaseException): pass\nraise Own('mine')",
            "unspeakable": "class Un(Exception):\n  def __str__(self): raise SystemExit\nraise Un",
            "nameless": "class M(type):\n  def __getattribute__(c, n): raise SystemExit(n)\n"
            "class Un(Exception, metaclass=M): pass\nraise Un",
            "syntax": "def (",
            "null": "x = '\\0'\n\0",
            "relative": "from . import other",
            "missing": "import not_there",
        }
        self.written(**{f"jobs_{name}": text for name, text in raised.items()})

        faults = self.refused(*[f"jobs_{name}" for name in raised]).splitlines()

        self.assertEqual(len(raised), len(faults), faults)
        for name, line in zip(raised, faults, strict=True):
            self.assertRegex(line, rf"^JOB_MODULES: jobs_{name} can't be imported: \S+")

    def test_one_without_a_job_is_reported_and_which_of_those_it_imports_have_some(self) -> None:
        self.written(
            jobs_good="from lib.jobs.registry import job\n@job\ndef good(ctx, payload): ...",
            jobs_unmarked="def report(ctx, payload): ...",
            jobs_gathers="import jobs_good, jobs_unmarked",
            jobs_checks="def doctor(settings): return 'well'",
            jobs_by_name="from jobs_good import good",
        )

        self.assertIn("jobs_unmarked has no job: mark a function", self.refused("jobs_good", "jobs_unmarked"))
        self.assertIn("name the modules that it imports, which have some: jobs_good", self.refused("jobs_gathers"))
        self.assertEqual(["good"], load(["jobs_by_name", "jobs_checks"]).names)
        self.assertIn("names no module", self.refused())

    def test_a_name_of_pythons_own_is_reported_and_so_is_a_file_that_is_hidden_by_it(self) -> None:
        folder = self.written(email="x = 1", jobs_a="from email import send_all")

        faults = self.refused("email", "email.mine", "queue", "jobs_a")

        for name in ("email", "email.mine", "queue"):
            self.assertIn(f"JOB_MODULES: {name} is the name of one of Python's own modules", faults)
        self.assertRegex(faults, rf"jobs_a can't be imported: ImportError: .*{folder}/email.py has the name of one of")

    def test_one_that_takes_away_the_ways_to_import_others_does_not_keep_them(self) -> None:
        text = "from lib.jobs.registry import job\n@job\ndef {name}(ctx, payload): ...\nimport sys\n{act}\n"
        acts = {
            "clears": "sys.path.clear(); sys.meta_path.clear(); sys.path_hooks.clear()",
            "replaces": "sys.path = ['/of/its/own']; sys.meta_path = ()",
            "spoils": "sys.path = None; del sys.meta_path",
            "last": "",
        }
        folder = self.written(**{f"jobs_{name}": text.format(name=name, act=act) for name, act in acts.items()})

        found = load([f"jobs_{name}" for name in acts])

        self.assertEqual(sorted(acts), found.names)
        self.assertLessEqual({str(folder), "/of/its/own"}, set(sys.path))


if __name__ == "__main__":
    unittest.main()
