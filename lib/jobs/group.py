"""A job's group: which names there are, and how a payload names the group. Pure.

@job("report", group_by="customer.id")

{"customer": {"id": "tenant-42"}, "month": "2026-11"}     ->  "tenant-42"
{"customer": {"id": 42}}                                  ->  "42"
{"customer": null}, {"month": "2026-11"}                  ->  "", the job has no group
{"customer": {"id": "Miller & Sons"}}                     ->  Invalid, at /payload/customer/id
"""

import re
from typing import Any

from lib.errors import FieldError
from lib.jobs.author_checks import Invalid
from lib.jobs.payload import escape_pointer, json_type, whole

GROUP_NAME = re.compile(r"[A-Za-z0-9._:@/-]{1,128}")
"""A group's name is a part of names in Redis. It needs no escape in JSON, so page.lua can search a spec for it."""
GROUP_RULE = "1 to 128 letters of A-Z a-z, digits or . _ : @ / -"
_OTHERWISE = "send one, or name the group in the field group beside the payload"
_TOO_LARGE = 10**128


def group_named_by(payload: dict[str, Any], path: str) -> str:
    """The group that the payload names in its field `path`; "" where the field is missing or null.

    path: the field, as in "tenant"; dots lead into an object, as in "customer.id". Raises Invalid for a value that is
    no group's name.
    """
    value: Any = payload
    pointer = "/payload"
    for name in path.split("."):
        if type(value) is not dict:
            raise Invalid([FieldError(pointer, f"must be an object, not {json_type(value)}: its {name} is the group")])
        value = value.get(name)
        pointer += f"/{escape_pointer(name)}"
        if value is None:
            return ""
    number = whole(value)
    text = str(number) if number is not None and abs(number) < _TOO_LARGE else value
    if type(text) is not str or not GROUP_NAME.fullmatch(text):
        detail = f"names the job's group, so it must be a whole number or a string of {GROUP_RULE}; {_OTHERWISE}"
        raise Invalid([FieldError(pointer, detail)])
    return text
