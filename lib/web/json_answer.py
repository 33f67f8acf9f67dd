"""JSON as a response. The body ends with a newline, so that a terminal's prompt begins on a line of its own."""

from collections.abc import Sequence

from lib.http1.message import Response
from lib.json_text import to_json


def answer_text(
    status: int, text: str, headers: Sequence[tuple[str, str]] = (), *, content_type: str = "application/json"
) -> Response:
    """A response of `text`, which is JSON. A lone surrogate, which UTF-8 can't hold, is sent as a question mark."""
    return Response(status, f"{text}\n".encode("utf-8", "replace"), headers, content_type=content_type)


def answer_json(status: int, value: object, headers: Sequence[tuple[str, str]] = ()) -> Response:
    """A response of any value that JSON can hold."""
    return answer_text(status, to_json(value), headers)
