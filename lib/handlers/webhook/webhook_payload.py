"""The payload of a webhook job: the JSON of a POST in, a checked `Webhook` out, or all its faults, each with a pointer.

    {"url": "https://api.example.com/hook?x=1", "method": "PUT", "headers": {"Authorization": "Bearer …"},
     "body": {"order": 4711}, "secret": "whsec_…", "give_up_on": [400, 422],
     "completion": "callback", "complete_within_s": 3600}

Made by lib/jobs/payload.py, at POST and again before each attempt. Pure: which addresses may be reached is checked by
webhook_sender.py, for the setting WEBHOOK_ALLOW_PRIVATE says it.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from lib.errors import FieldError
from lib.handlers.webhook.signature import read_secrets
from lib.http1.client.url import Url, read_url
from lib.jobs.payload import Invalid, escape_pointer
from lib.jobs.webhook_defaults import group_of_host
from lib.json_text import to_json

MAX_HEADERS = 50
MAX_HEADER_CHARS = 8000
MAX_STATUSES = 100
MAX_WITHIN_S = 2_592_000

JSON_TYPE, TEXT_TYPE = "application/json", "text/plain; charset=utf-8"
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")  # RFC 9110, 5.6.2: token
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[\t -~]*[!-~])?)?")
# Header fields that Waybill writes itself, and those that say how the message is framed or travels.
_OWN_HEADERS = re.compile(
    r"""host | content-length | transfer-encoding | connection | keep-alive | te | trailer | upgrade | expect
    | proxy-.* | accept-encoding | webhook-.* | waybill-.* | traceparent | x-request-id""",
    re.VERBOSE | re.IGNORECASE,
)
_BODILESS = ("GET", "HEAD")


@dataclass(slots=True, kw_only=True)
class Webhook:
    """A request to be sent to `url`, with `body` (any JSON), `text` or neither."""

    url: str = field(repr=False)
    method: Literal["POST", "GET", "HEAD", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    signed: bool = False
    """Whether it is better not sent than sent unsigned."""
    give_up_on: list[int] = field(default_factory=list)
    completion: Literal["response", "callback"] = "response"
    complete_within_s: float | None = None
    """With completion callback: how long the receiver has, once it has answered 202."""
    target: Url = field(init=False, repr=False)
    """`url`, read."""
    content: bytes = field(init=False, repr=False, default=b"")
    """The body as it is sent: of `body` its compact JSON, of `text` its UTF-8."""
    keys: tuple[bytes, ...] = field(init=False, repr=False, default=())
    """The keys in `secret`; () where the payload has none, and WEBHOOK_SECRET signs."""

    def __post_init__(self) -> None:
        faults: list[FieldError] = []
        for name, check in (("url", _read_url), ("secret", _read_secret), ("complete_within_s", _check_within)):
            try:
                check(self)
            except ValueError as fault:
                faults.append(FieldError(f"/{name}", str(fault)))
        faults += _body_faults(self) + _header_faults(self.headers) + _status_faults(self.give_up_on)
        if faults:
            raise Invalid(faults)

    @property
    def content_type(self) -> str:
        """ "" for no body."""
        return TEXT_TYPE if self.text is not None else JSON_TYPE if self.content else ""


def host_of(payload: dict[str, Any]) -> str:
    """The group of a webhook that names none: host and port of its URL."""
    return group_of_host(payload["url"])


def _read_url(payload: Webhook) -> None:
    payload.target = read_url(payload.url)


def _read_secret(payload: Webhook) -> None:
    payload.keys = read_secrets(payload.secret or "")


def _check_within(payload: Webhook) -> None:
    within_s = payload.complete_within_s
    if payload.completion == "response" and within_s is not None:
        raise ValueError("goes with completion callback; leave it out, or set that")
    if payload.completion == "callback" and within_s is None:
        raise ValueError("is missing: for how many seconds the receiver's callback is waited for")
    if within_s is not None and not 1 <= within_s <= MAX_WITHIN_S:
        raise ValueError(f"must be from 1 to {MAX_WITHIN_S}")


def _body_faults(payload: Webhook) -> list[FieldError]:
    """Writes `content`."""
    if payload.text is not None and payload.body is not None:
        return [FieldError("/text", "stands beside body; give one of them")]
    name = "body" if payload.body is not None else "text"
    text = to_json(payload.body) if payload.body is not None else payload.text
    if text is None:
        return []
    if payload.method in _BODILESS:
        return [FieldError(f"/{name}", f"can't be sent with {payload.method}: such a request has no body")]
    try:
        payload.content = text.encode()
    except UnicodeEncodeError:
        return [FieldError(f"/{name}", "holds half of a surrogate pair, which is no character")]
    return []


def _header_faults(headers: dict[str, str]) -> list[FieldError]:
    if len(headers) > MAX_HEADERS:
        return [FieldError("/headers", f"holds {len(headers)} headers, at most {MAX_HEADERS}")]
    faults: list[FieldError] = []
    seen: set[str] = set()
    for name, value in headers.items():
        if detail := _header_fault(name, value, seen):
            faults.append(FieldError(f"/headers/{escape_pointer(name)}", detail))
        seen.add(name.lower())
    return faults


def _header_fault(name: str, value: str, seen: set[str]) -> str:
    """What is wrong with a header, in words that hold no part of its value; "" for nothing."""
    if not _HEADER_NAME.fullmatch(name):
        return "is not a header's name: 1 to 100 letters of A-Z a-z, digits or ! # $ % & ' * + - . ^ _ ` | ~"
    if _OWN_HEADERS.fullmatch(name):
        return "is a header that Waybill writes itself; leave it out"
    if name.lower() in seen:
        return "stands there twice: headers differ by more than capitals"
    if len(value) > MAX_HEADER_CHARS:
        return f"has {len(value)} characters, at most {MAX_HEADER_CHARS}"
    if not _HEADER_VALUE.fullmatch(value):
        return "must be printable ASCII, without a line break, and no blank at its beginning or end"
    return ""


def _status_faults(statuses: list[int]) -> list[FieldError]:
    if len(statuses) > MAX_STATUSES:
        return [FieldError("/give_up_on", f"holds {len(statuses)} statuses, at most {MAX_STATUSES}")]
    detail = "must be a status from 300 to 599: 2xx is success"
    return [FieldError(f"/give_up_on/{n}", detail) for n, status in enumerate(statuses) if not 300 <= status <= 599]
