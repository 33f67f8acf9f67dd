"""Job modules for one test: made in memory, or written into a folder that can be imported from."""

import sys
import tempfile
import types
import unittest
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lib.errors import ConfigError
from lib.jobs.registry import load


class LoadCase(unittest.TestCase):
    def module(self, name: str, **members: Any) -> str:
        """A module that can be imported until the test ends."""
        made = types.ModuleType(name)
        vars(made).update(members)
        sys.modules[name] = made
        self.addCleanup(sys.modules.pop, name)
        return name

    def refused(self, *modules: str) -> str:
        with self.assertRaises(ConfigError) as refused:
            load(modules)
        return "\n".join(refused.exception.faults)

    def written(self, **texts: str) -> Path:
        """A folder of modules that can be imported until the test ends."""
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
            self.addCleanup(sys.modules.pop, name, None)
        self.enterContext(patch.object(sys, "path", [str(folder), *sys.path]))
        return folder
