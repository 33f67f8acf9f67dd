"""A JSON text as an answer. It ends with a newline: a terminal's prompt would else stand behind its last brace."""

from collections.abc import Sequence

from lib.http1.message import Response
from lib.json_text import to_json


def answer_text(
    status: int, text: str, headers: Sequence[tuple[str, str]] = (), *, content_type: str = "application/json"
) -> Response:
    """`text` is JSON. What can't be UTF-8 in it (a lone surrogate) is sent as a question mark."""
    return Response(status, f"{text}\n".encode("utf-8", "replace"), headers, content_type=content_type)


def answer_json(status: int, value: object, headers: Sequence[tuple[str, str]] = ()) -> Response:
    return answer_text(status, to_json(value), headers)
