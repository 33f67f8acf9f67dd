"""Requests that a page of another site has a visitor's browser send (cross-site request forgery): refused.

A browser says where a request comes from, in Sec-Fetch-Site and Origin, and no page can change what it says there. What
does not change anything passes: its answer can't be read by another site's page, since no answer here allows it (no
Access-Control-Allow-Origin). Programs send neither field, and pass.
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
    # Should a browser ever be brought to show an answer of the API as a page, nothing in it runs.
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)


def page_fields(*sources: str) -> FieldBlock:
    """The fields of a page, in place of ANSWER_FIELDS. sources: what it needs, as in "style-src 'self'"."""
    policy = ("default-src 'none'", *sources, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
    return FieldBlock(
        *_ON_EVERY_ANSWER,
        # Kept, but asked about before each use: it costs a 304, and a new version is seen at once.
        ("Cache-Control", "no-cache"),
        ("Content-Security-Policy", "; ".join(policy)),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("X-Frame-Options", "DENY"),
    )


def refuse_cross_site(request: Request) -> None:
    """Raises CrossSite for a change that another site's page asks for; another port of one's own host is another site.

    Which scheme the browser used is not known behind a proxy that ends TLS, and either is taken."""
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
    """A scheme's own port need not be said, and a proxy may say it."""
    for scheme, port in (("http:", ":80"), ("https:", ":443")):
        if origin.startswith(scheme):
            return origin.removesuffix(port)
    return origin
