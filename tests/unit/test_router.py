"""Which operation a request asks for, and what is answered where there is none."""

import unittest
from typing import Any, cast

from lib.api.router import Call, Route, Router
from lib.errors import MethodNotAllowed, NotFound, UnsupportedMediaType
from lib.http1.message import Request, Response


async def operation(_call: Call) -> Response:
    return Response(200)


ROUTER = Router(
    [
        Route("GET", "/api/jobs", "listJobs", operation, scope=None),
        Route("POST", "/api/jobs", "createJob", operation, takes_body=True, scope=None),
        Route("GET", "/api/jobs/{job_id}", "readJob", operation, scope=None),
        Route("DELETE", "/api/jobs/{job_id}", "deleteJob", operation, scope=None),
        Route("POST", "/api/jobs/{job_id}/cancel", "cancelJob", operation, scope=None),
        Route("GET", "/livez", "live", operation, scope=None),
    ]
)


def request(method: str, path: str, **headers: str) -> Request:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, path, path, "", "1.1", fields, "h", True, 0, False, False, 1000)


def match(method: str, path: str, **headers: str) -> Any:
    return ROUTER.match(request(method, path, **headers))


def check_body(**headers: str) -> None:
    asked = request("POST", "/api/jobs", **headers)
    route, _ = cast(tuple[Route, dict[str, str]], ROUTER.match(asked))
    ROUTER.check_types(route, asked)


class Match(unittest.TestCase):
    def test_paths_and_variables(self) -> None:
        for method, path, name, values in (
            ("GET", "/api/jobs", "listJobs", {}),
            ("GET", "/api/jobs/q-1", "readJob", {"job_id": "q-1"}),
            ("DELETE", "/api/jobs/x%2Fy", "deleteJob", {"job_id": "x%2Fy"}),
            ("POST", "/api/jobs/q-1/cancel", "cancelJob", {"job_id": "q-1"}),
            ("HEAD", "/livez", "live", {}),
        ):
            route, found = match(method, path)
            self.assertEqual((name, values), (route.name, found))

    def test_what_is_no_path_of_ours_is_not_found(self) -> None:
        for path in (
            "/",
            "",
            "/api",
            "/api/jobs/",
            "/api//jobs",
            "//api/jobs",
            "/API/jobs",
            "/api/jobs/a/b",
            "/livez/",
            "/api/%6aobs",
            "/api/./jobs",
            "/api/../api/jobs",
            "/api/jobs/a/cancel/",
            "/api/jobs//cancel",
        ):
            with self.subTest(path), self.assertRaises(NotFound):
                match("GET", path)

    def test_a_method_that_the_path_does_not_take_is_told_which_it_does(self) -> None:
        with self.assertRaises(MethodNotAllowed) as refused:
            match("PUT", "/api/jobs/q-1")

        self.assertEqual((("Allow", "DELETE, GET, HEAD, OPTIONS"),), refused.exception.headers)

    def test_options_are_answered(self) -> None:
        for path, allowed in (("/api/jobs", "GET, HEAD, OPTIONS, POST"), ("*", "DELETE, GET, HEAD, OPTIONS, POST")):
            answer = match("OPTIONS", path)
            self.assertEqual((204, (("Allow", allowed),)), (answer.status, answer.headers))

    def test_a_body_is_taken_as_json_alone(self) -> None:
        for kind in (
            "application/json",
            "Application/JSON; charset=UTF-8",
            'application/json;charset="utf-8"',
            "application/json;",
            "application/json; charset=utf-8;",
            "application/json;;charset=utf-8",
            'application/json; profile="x"',
            'application/json; profile="; charset=latin-1"',
            "application/json ; charset=utf-8 ; x=1",
            'application/json; CHARSET="UTF-\\8"',
        ):
            with self.subTest(kind):
                check_body(content_type=kind)
        for headers in (
            {},
            {"content_type": "text/plain"},
            {"content_type": "application/json; charset=latin-1"},
            {"content_type": "application/json; x=1; charset=latin-1"},
            {"content_type": "application/json; charset=utf-8; charset=latin-1"},
            {"content_type": "application/json; charset"},
            {"content_type": "application/json; charset =utf-8"},
            {"content_type": 'application/json; x="open'},
            {"content_type": "application/json, application/json"},
            {"content_type": "application/jsonx"},
            {"content_type": "application/json", "content_encoding": "gzip"},
        ):
            with self.subTest(headers), self.assertRaises(UnsupportedMediaType):
                check_body(**headers)

    def test_what_begins_as_a_path_that_needs_a_key_is_private(self) -> None:
        router = Router(
            [
                Route("GET", "/api/jobs", "listJobs", operation, scope="read"),
                Route("GET", "/livez", "live", operation, scope=None),
            ]
        )

        for path in ("/api", "/api/", "/api/jobs", "/api/nothing", "/api//jobs", "/api/../livez"):
            self.assertTrue(router.is_private(path), path)
        for path in ("/livez", "/", "", "*", "/apis", "/API/jobs", "//api/jobs", "/%61pi/jobs"):
            self.assertFalse(router.is_private(path), path)


if __name__ == "__main__":
    unittest.main()
