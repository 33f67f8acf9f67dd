"""One POST of spans to an OpenTelemetry collector, and what its answer means.

    post = CollectorLink(collector).post
    post(body)      Outcome("taken"), Outcome("later", "503 Service Unavailable", 5.0), Outcome("refused", "400 …")

Called by the thread of otlp.py, and by --doctor. Proxies of the environment are not used, redirects not followed.
"""

import contextlib
import gzip
import http.client
import json
import ssl
import time
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit

AGAIN: frozenset[int] = frozenset({429, 502, 503, 504})
"""The statuses after which the same spans may be sent again, and no others. Source:
https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes"""
_ANSWER_BYTES = 65_536
_WORDS_CHARS = 200
_SHORTEST_SECRET = 4
_SCHEMES = {"basic", "bearer", "digest"}


class Collector(NamedTuple):
    """Where spans go, and how.

    Collector("http://127.0.0.1:4318/v1/traces", {"service.name": "waybill-server"}). headers: for every request; they
    may hold a token, so they are not in the repr. ca_file: certificates (PEM) to trust in place of the system's."""

    url: str
    resource: dict[str, str | int | float | bool]
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 10.0
    is_gzip: bool = False
    ca_file: str | None = None

    @property
    def shown(self) -> str:
        """The URL for a log line: without its query, in which some services want a key."""
        return self.url.partition("?")[0]

    def without_secrets(self, text: str) -> str:
        """The text with stars for each header's value, and each value in the URL's query: a collector that refuses a
        token may quote it, and what it answers is logged."""
        query = (unquote(part.partition("=")[2]) for part in urlsplit(self.url).query.split("&"))
        values = {*query, *(value for _, value in self.headers)}
        values.update(word for value in list(values) for word in value.split())  # "Bearer abc": abc may stand alone.
        for value in sorted(values, key=len, reverse=True):
            if len(value) >= _SHORTEST_SECRET and value.lower() not in _SCHEMES:
                text = text.replace(value, "********")
        return text

    def __repr__(self) -> str:
        return f"Collector({self.shown!r})"


class Outcome(NamedTuple):
    """What became of a POST. taken: the collector has the spans, all but `rejected` of them. later: the same spans may
    be sent again, after_s from now if the collector has said when. refused: it will never take them. words: what was
    answered, or went wrong; "" for nothing."""

    verdict: Literal["taken", "later", "refused"]
    words: str = ""
    after_s: float | None = None
    rejected: int = 0


class CollectorLink:
    """A connection that is kept for the next POST. For one thread."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        parts = urlsplit(collector.url)
        self._target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        self._host, self._port, self._is_tls = parts.hostname or "", parts.port, parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes) -> Outcome:
        """Never raises: a fault of the link is an Outcome as well. No word of it is a secret of the collector's."""
        outcome = self._outcome(body)
        return outcome._replace(words=self._collector.without_secrets(outcome.words)[:_WORDS_CHARS])

    def _outcome(self, body: bytes) -> Outcome:
        headers = {"Content-Type": "application/json", "User-Agent": "waybill"}
        if self._collector.is_gzip:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body, 1)
        headers |= dict(self._collector.headers)
        was_kept = self._connection is not None
        try:
            try:
                return self._ask(body, headers)
            except (ConnectionError, http.client.BadStatusLine):
                # A kept connection may have been closed by the other end, as it may be at any time.
                if not was_kept:
                    raise
                self.close()
                return self._ask(body, headers)
        except (OSError, http.client.HTTPException, ValueError) as fault:
            self.close()
            return Outcome("later", f"{type(fault).__name__}: {fault}")

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None

    def _ask(self, body: bytes, headers: dict[str, str]) -> Outcome:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("POST", self._target, body, headers)
        response = self._connection.getresponse()
        answer = response.read(_ANSWER_BYTES)
        if response.will_close or response.read(1):
            self.close()
        return _outcome(response, answer)

    def _connect(self) -> http.client.HTTPConnection:
        timeout_s = self._collector.timeout_s
        if not self._is_tls:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        context = ssl.create_default_context(cafile=self._collector.ca_file)
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=context)


def _outcome(response: http.client.HTTPResponse, answer: bytes) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return _taken(answer)
    words = f"{status} {response.reason}"
    if said := " ".join(answer.decode("utf-8", "replace").split()):
        words += f": {said}"
    if status in AGAIN:
        return Outcome("later", words, _after_s(response.getheader("Retry-After")))
    return Outcome("refused", words)


def _taken(answer: bytes) -> Outcome:
    """A collector may take a part of the spans (partialSuccess). What can't be read is taken as no complaint."""
    try:
        partial: Any = json.loads(answer or b"{}").get("partialSuccess") or {}
        rejected, words = int(partial.get("rejectedSpans") or 0), str(partial.get("errorMessage") or "")
    except (ValueError, OverflowError, AttributeError, TypeError, RecursionError):  # OverflowError: it says 1e999.
        return Outcome("taken")
    return Outcome("taken", words, rejected=max(0, rejected))


def _after_s(text: str | None) -> float | None:
    """Seconds or a date (RFC 9110, 10.2.3); None where the field is missing or makes no sense."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
