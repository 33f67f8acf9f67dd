"""A job that says what it is told to, and texts that have broken other pages. JOB_MODULES=tests.browser.hostile_jobs.

{"type": TYPE, "payload": {"log": ["<b>"], "fail": "</script>", "name": "javascript:x"}}
"""

from typing import Any

from lib.jobs.registry import JobContext, job

TYPE = "<img src=x onerror=document.title='owned'>"
MARKUP = (
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "</title><svg onload=document.title='owned'>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=alert(1)&gt;'>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:document.title='owned'",
    "data:text/html,<script>alert(1)</script>",
    "http://127.0.0.1:1/x.png",
    "\" onmouseover=\"document.title='owned'",
    "' style='position:fixed;inset:0",
    "<!--",
    "]]>",
    "&lt;b&gt;&#x3c;b&#x3e;",
    "＜script＞",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "'; rm -rf / #",
    "$(rm -rf /)`rm -rf /`",
    "#/jobs/../../api",
    "%00%0a%E0%A4%A",
    "\\u003cimg\\u003e",
)
HIDDEN = (
    "\u202egpj.exe",
    "\u2066\u2069\u2067",
    "a\u0000b",
    "\u001b[31mred\u0007",
    "\ufeff",
    "\u200b\u200d\u2060",
    "\u2028\u2029",
    "\u00ad\u034f\u180e",
    "\u3164\u115f\uffa0",
    "\U000e0041\U000e007f",
    "\ufff9a\ufffab\ufffb",
    "\x7f\x80\x9f",
)
LONG = (
    "W" * 400,
    "\n" * 500,
    "\t" * 500,
    "a" + "\u0301" * 500,
    "\ufdfa" * 100,
    "שלום " * 80,
    "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 50,
    "9" * 400,
)
NAMES = ("__proto__", "constructor", "toString", "hasOwnProperty", "length", "isRawJSON", "rawJSON", "then", "")
TEXTS = (*MARKUP, *HIDDEN, *LONG)


@job(TYPE, max_attempts=1)
async def says(ctx: JobContext, payload: dict[str, Any]) -> Any:
    """Logs `log`; fails with an error whose class is `name` and whose message is `fail`, or returns its payload."""
    for text in payload.get("log", ()):
        ctx.log(f"{text}\ud800")
    ctx.progress(0.5, "".join(MARKUP + HIDDEN))
    if "fail" in payload:
        raise type(payload["name"], (Exception,), {})(f"{payload['fail']}\ud800")
    return payload
