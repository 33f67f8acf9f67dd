"""The frame of every page: head, navigation and a link to the style sheet. No script, nothing from other hosts.
Pure."""

import re

from lib.manual.prose import escape

STYLE_PATH = "/manual.css"
BASE = "{base}"
"""Stands in commands for the address of the server, as http://127.0.0.1:8000."""
_KEY = '-H "Authorization: Bearer $KEY"'
_WITH_KEY = "(?:api/(?!callbacks/)|metrics)"  # A callback's path ends in a key of its own.
_ADDRESS = re.compile(rf"'\{{base\}}/{_WITH_KEY}[^']*'|\{{base\}}/{_WITH_KEY}\S*")


def page(title: str, body: str) -> str:
    """A whole document. `title` is text, `body` HTML."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)} · Waybill</title>
<link rel="stylesheet" href="{STYLE_PATH}">
</head>
<body>
<header><nav aria-label="Waybill">
<strong>Waybill</strong>
<a href="/docs">API</a> <a href="/problems">Problems</a> <a href="/openapi.yaml">openapi.yaml</a>
</nav></header>
<main>
{body}
</main>
</body>
</html>
"""


def with_key(commands: str) -> str:
    """The curl commands for a server that asks for a key: requests to the API and to /metrics send $KEY."""
    return commands if "Authorization" in commands else _ADDRESS.sub(lambda found: f"{found[0]} {_KEY}", commands)


def sample(text: str, label: str) -> str:
    """A box with text to copy: a command, a body. It scrolls by itself, and can be reached without a mouse."""
    return f'<pre tabindex="0" aria-label="{escape(label)}"><code>{escape(text)}</code></pre>'
