"""GET /api/types: each type with its defaults, as the contract has them."""

import asyncio
import json
import unittest
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from lib.api.job_types import TypeOperations
from lib.jobs import registry
from lib.settings import config
from tests import contract

MODULES = ("lib.handlers.email", "lib.handlers.webhook")


class Types(unittest.TestCase):
    def listed(self) -> dict[str, Any]:
        settings = config.load({"JOB_MODULES": ",".join(MODULES)}, Path("none"))
        operations = TypeOperations(registry.load(MODULES, settings), MODULES)
        response = asyncio.run(operations.list_all(Mock()))
        found: dict[str, Any] = json.loads(response.body)
        return found

    def test_they_are_as_the_contract_says_with_the_modules_of_the_server(self) -> None:
        listed, facts = self.listed(), contract.load()

        self.assertEqual([], list(facts.faults(listed, facts.schema("JobTypeList"))))
        self.assertEqual([*MODULES], listed["modules"])
        for one in listed["items"]:
            self.assertEqual({*facts.schema("JobType")["properties"]}, {*one})

    def test_the_limit_with_which_a_queue_begins_is_told(self) -> None:
        limits = {one["name"]: one["group_concurrency"] for one in self.listed()["items"]}

        self.assertIsNone(limits["email"])
        self.assertGreater(limits["webhook"], 0)
