"""Cross-site request forgery: a page of another site makes a visitor's browser send requests here. They are refused.

A browser names the page's site in Sec-Fetch-Site and Origin, and the page can't change these fields. Programs send
neither field, and pass. GET, HEAD and OPTIONS pass from anywhere: they change nothing, and the other site's page can't
read their answers, for no answer here bears Access-Control-Allow-Origin.
"""

from lib.errors import CrossSite
from lib.http1.fields import FieldBlock
from lib.http1.message import Request

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_ON_EVERY_ANSWER = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
)
ANSWER_FIELDS = FieldBlock(
    *_ON_EVERY_ANSWER,
    ("Cache-Control", "no-store"),
    # If a browser is ever led to show an answer of the API as a page, nothing in the answer runs.
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)


def page_fields(*sources: str) -> FieldBlock:
    """The header fields of a page, in place of ANSWER_FIELDS. sources: what the page may load: "style-src 'self'"."""
    policy = ("default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
    return FieldBlock(
        *_ON_EVERY_ANSWER,
        # The browser keeps the page and asks before each use: that costs a 304, and a new version is seen at once.
        ("Cache-Control", "no-cache"),
        ("Content-Security-Policy", "; ".join(policy)),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("X-Frame-Options", "DENY"),
    )


def refuse_cross_site(request: Request) -> None:
    """Raises CrossSite for a request that may change something and was sent by another site's page.

    A page of the same host on another port is another site. http and https are not told apart: behind a proxy that
    ends TLS the server can't know which of the two the browser used."""
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site", "none")
    if site not in ("same-origin", "none"):
        raise CrossSite(f"a browser says that a page of another origin asks for this (Sec-Fetch-Site: {site[:40]})")
    origin = request.headers.get("origin")
    if origin is not None and _without_port(origin.lower()) not in _own_origins(request.host):
        raise CrossSite(
            f"a browser says that a page of {origin[:200]} asks for this, which is not {request.host[:200]}; "
            "a proxy in front must pass Host as it came"
        )


def _own_origins(host: str) -> tuple[str, ...]:
    return (_without_port(f"http://{host}"), _without_port(f"https://{host}")) if host else ()


def _without_port(origin: str) -> str:
    """http://host:80 as http://host: the scheme's own port is mostly left out, but a proxy may add it."""
    for scheme, port in (("http:", ":80"), ("https:", ":443")):
        if origin.startswith(scheme):
            return origin.removesuffix(port)
    return origin
