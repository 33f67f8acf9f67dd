"""Graphs read from requests, for the tests of what reads them and of what is made of them."""

import unittest
from typing import Any

from lib.errors import InvalidFields
from lib.ids import JobIds
from lib.jobs import registry
from lib.jobs.job_graph_request import read_job_graph
from lib.jobs.workflow import Graph, GraphJob
from lib.jobs.workflow_request import read_workflow
from lib.tracing import Trace

TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "01")
TYPES = registry.load(["tests.jobs_for_tests"])
PARENTS = [f"other-{number:032x}" for number in range(3)]


def noop(**fields: Any) -> dict[str, Any]:
    """A job of a request."""
    return {"type": "noop", "payload": {}, **fields}


class GraphCase(unittest.TestCase):
    def job_graph(self, **fields: Any) -> Graph:
        """The graph of a POST /api/jobs with these fields."""
        return read_job_graph(noop(**fields), TYPES, JobIds(), request_id="r", trace=TRACE)

    def workflow(self, jobs: Any, **fields: Any) -> Graph:
        """The graph of a POST /api/workflows with these jobs."""
        return read_workflow({"jobs": jobs, **fields}, TYPES, JobIds(), request_id="r", trace=TRACE)

    def faults_of_job(self, **fields: Any) -> dict[str, str]:
        """What is wrong with a POST /api/jobs: detail by pointer; {} where nothing is."""
        try:
            self.job_graph(**fields)
        except InvalidFields as fault:
            return dict(fault.errors)
        return {}

    def faults_of_workflow(self, jobs: Any, **fields: Any) -> dict[str, str]:
        try:
            self.workflow(jobs, **fields)
        except InvalidFields as fault:
            return dict(fault.errors)
        return {}


def named(graph: Graph) -> dict[str, GraphJob]:
    """The graph's jobs by name, "" for the anchor. (In these tests no name stands in two workflows.)"""
    return {one.name: one for one in graph.jobs}


def id_of(graph: Graph, name: str) -> str:
    return named(graph)[name].job.job_id
