"""The operation that a request asks for, and the error where there is no such operation."""

import dataclasses
import unittest
from typing import Any, cast

from lib.errors import MethodNotAllowed, NotAcceptable, NotFound, PreconditionFailed, UnsupportedMediaType
from lib.http1.message import Request, Response
from lib.web.router import Call, Route, Router


async def operation(_call: Call) -> Response:
    return Response(200)


BOTH = {"application/json": None, "application/x-ndjson": None}
ROUTER = Router(
    [
        Route("GET", "/api/jobs", "listJobs", operation, scope=None),
        Route("POST", "/api/jobs", "createJob", operation, takes_body=True, scope=None),
        Route("GET", "/api/jobs/{job_id}", "readJob", operation, scope=None),
        Route("DELETE", "/api/jobs/{job_id}", "deleteJob", operation, scope=None),
        Route("POST", "/api/jobs/{job_id}/cancel", "cancelJob", operation, scope=None),
        Route("PATCH", "/api/jobs/{job_id}", "changeJob", operation, takes_body=True, scope=None),
        Route("POST", "/api/batch", "batch", operation, takes_body=True, bodies=BOTH, produces=(*BOTH,), scope=None),
        Route("GET", "/livez", "live", operation, scope=None),
    ]
)


def request(method: str, path: str, **headers: str) -> Request:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, path, path, "", "1.1", fields, "h", True, 0, False, False, 1000)


def match(method: str, path: str, **headers: str) -> Any:
    return ROUTER.match(request(method, path, **headers))


def check_body(method: str = "POST", path: str = "/api/jobs", **headers: str) -> None:
    asked = request(method, path, **headers)
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

        self.assertEqual((("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH"),), refused.exception.headers)

    def test_options_are_answered(self) -> None:
        for path, allowed in (
            ("/api/jobs", "GET, HEAD, OPTIONS, POST"),
            ("*", "DELETE, GET, HEAD, OPTIONS, PATCH, POST"),
        ):
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

    def test_a_body_that_may_be_of_several_types_is_answered_in_its_own_where_either_is_accepted(self) -> None:
        """Most clients accept application/json whatever type of body they send; the answer has the body's type."""
        json, ndjson = BOTH
        for kind, accept in ((ndjson, ndjson), (json, f"{json}, text/html"), (ndjson, json), (json, ndjson)):
            check_body(path="/api/batch", content_type=kind, accept=accept)
        with self.assertRaises(NotAcceptable):
            check_body(path="/api/batch", content_type=ndjson, accept="text/html")

    def test_no_version_can_match_where_there_are_none(self) -> None:
        def check(method: str, **headers: str) -> None:
            asked = request(method, "/api/jobs/q-1", **headers)
            route, _ = cast(tuple[Route, dict[str, str]], ROUTER.match(asked))
            ROUTER.check_preconditions(route, asked)

        for method in ("PATCH", "DELETE"):
            check(method)
            check(method, if_match="*")
            for field in ('"nonsense"', 'W/"a", "b"', ""):
                with self.subTest(field), self.assertRaises(PreconditionFailed):
                    check(method, if_match=field)
        check("GET", if_match='"x"')

    def test_an_operation_on_what_has_versions_obeys_if_match_itself(self) -> None:
        asked = request("DELETE", "/api/jobs/q-1", if_match='"7"')
        route, _ = cast(tuple[Route, dict[str, str]], ROUTER.match(asked))

        ROUTER.check_preconditions(dataclasses.replace(route, has_version=True), asked)

    def test_what_a_patch_may_be_and_that_no_coding_is_known_is_told(self) -> None:
        patch = ("Accept-Patch", "application/json")
        self.assertIn(patch, match("OPTIONS", "/api/jobs/q-1").headers)
        for method, path, headers, told in (
            ("POST", "/api/jobs", {"content_type": "application/json", "content_encoding": "br"}, "Accept-Encoding"),
            ("PATCH", "/api/jobs/q-1", {"content_type": "application/merge-patch+json"}, "Accept-Patch"),
            ("POST", "/api/jobs", {"content_type": "text/plain"}, None),
        ):
            with self.subTest(path), self.assertRaises(UnsupportedMediaType) as refused:
                check_body(method, path, **headers)

            self.assertEqual([told] if told else [], [name for name, _ in refused.exception.headers])

    def test_what_begins_as_a_path_that_needs_a_key_is_private(self) -> None:
        router = Router(
            [
                Route("GET", "/api/jobs", "listJobs", operation, scope="read"),
                Route("GET", "/livez", "live", operation, scope=None),
                Route("POST", "/api/callbacks/{key}", "call", operation, takes_body=True, scope=None),
            ]
        )

        for path in (
            *("/api", "/api/", "/api/jobs", "/api/nothing", "/api//jobs", "/api/../livez"),
            *("/api/callbacks", "/api/callbacks/", "/api/callbacks/a/b", "/api/callback/a"),
        ):
            self.assertTrue(router.is_private(path), path)
        for path in ("/livez", "/", "", "*", "/apis", "/API/jobs", "//api/jobs", "/%61pi/jobs", "/api/callbacks/a"):
            self.assertFalse(router.is_private(path), path)


if __name__ == "__main__":
    unittest.main()
