"""The call that the middleware makes of a request for its operation."""

import unittest

from lib.errors import InvalidFields
from lib.http1.message import Response
from lib.web.auth import ANYONE, NOBODY, Caller
from lib.web.middleware import WebRequest, _call_of
from lib.web.router import Call, Route
from tests.traces import new_trace


async def operation(_call: Call) -> Response:
    return Response(200)


ROUTE = Route("GET", "/api/jobs/{job_id}", "readJob", operation, frozenset({"wait"}), scope="read")


def request(query: str = "") -> WebRequest:
    made = WebRequest("GET", "/", "/api/jobs/q-1", query, "1.1", {}, "h", True, 0, False, False, 1000)
    made.request_id, made.trace, made.caller = "an-id", new_trace(), Caller("ops", "read")
    made.route = ROUTE, {"job_id": "q-1"}
    return made


class Calls(unittest.TestCase):
    def test_a_call_has_every_field_in_its_place(self) -> None:
        asked = request("wait=5")

        call = _call_of(asked)

        self.assertEqual(len(Call._fields), len(call))
        self.assertEqual(Call("an-id", asked.trace, {"job_id": "q-1"}, {"wait": "5"}, asked, asked.caller), call)

    def test_it_names_in_log_lines_the_request_and_whose_key_it_bears(self) -> None:
        call = _call_of(request())
        keyless = [call._replace(caller=caller) for caller in (ANYONE, NOBODY)]

        self.assertEqual({"request_id": "an-id", "caller": "ops"}, call.asked_by)
        self.assertEqual([{"request_id": "an-id"}] * 2, [one.asked_by for one in keyless])

    def test_a_parameter_that_the_route_does_not_know_is_refused(self) -> None:
        with self.assertRaises(InvalidFields):
            _call_of(request("limit=5"))


if __name__ == "__main__":
    unittest.main()
