"""GET /api/caller: whose key the request bears, and what that may do. For programs and pages that show what they can.

{"name": "ops", "scope": "write", "expires_at": "2027-01-31T00:00:00.000Z", "asks_for_key": true}
"""

from lib.http1.message import Response
from lib.jobs.timestamps import timestamp
from lib.web.auth import ANYONE
from lib.web.json_answer import answer_json
from lib.web.router import Call


async def read_caller(call: Call) -> Response:
    """Where API_KEYS is empty, anybody may do anything, and has no name."""
    caller = call.caller
    is_anyone = caller is ANYONE
    return answer_json(
        200,
        {
            "name": None if is_anyone else caller.name,
            "scope": caller.scope,
            "expires_at": None if caller.expires_s is None else timestamp(round(caller.expires_s * 1000)),
            "asks_for_key": not is_anyone,
        },
    )
