"""The way out for webhooks: a Webhook in, the receiver's Answer out. Signs what it sends.

A runner has one WebhookSender, kept as a resource of its jobs; it has the links of lib/http1/client. The webhook job
calls it on the loop, for as many webhooks at a time as the runner may run.
"""

import asyncio
import ssl
import time
from collections.abc import Callable

from lib import __version__
from lib.errors import ConfigError, FieldError
from lib.handlers.webhook.signature import read_secrets, signature
from lib.handlers.webhook.webhook_payload import Webhook
from lib.handlers.webhook.webhook_verdicts import AddressNotAllowed, NoSecret
from lib.http1.client.address_guard import HOW_TO_ALLOW, Guard
from lib.http1.client.client_message import Answer, ClientRequest
from lib.http1.client.faults import HttpClientFault
from lib.http1.client.http_dial import client_tls
from lib.http1.client.http_proxy import WebProxy, read_proxy
from lib.http1.client.pool import HttpClient
from lib.http1.client.special_ranges import parse_allowed
from lib.jobs.payload import Invalid
from lib.jobs.registry import JobContext
from lib.jobs.webhook_outcomes import WebhookOutcomes
from lib.settings.config import Settings

UNSIGNED = "webhooks go out unsigned, for neither their payload nor the settings have a secret; see WEBHOOK_SECRET"
UNSENT = "webhooks that must be signed, as those of a callback_url, are not sent without a secret; see WEBHOOK_SECRET"
DEADLINE_SHARE, DEADLINE_MARGIN_S = 0.9, 0.25
"""The client's deadline comes before the job's own timeout_s: by a tenth of it, DEADLINE_MARGIN_S at most. So the job's
error says what the receiver had not done by then."""


class CallbacksOff(Exception):
    """A webhook is to be ended by a callback, and this worker does not know under which URL it could come."""


class WebhookSender:
    """`WebhookSender(settings)` reads PUBLIC_URL and the settings WEBHOOK_…; it belongs to one loop. Raises ConfigError
    for a setting that can't be used. clock: seconds since 1970."""

    warning_code = "webhooks_unsigned"
    """Of lib/warning_codes.py, for what `warning` tells."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.warning = ""
        """For lib/work/runner/warnings.py, which reads the attributes of these names on every resource."""
        self.outcomes = WebhookOutcomes()
        """For lib/work/runner/timings.py, which takes what is counted here to Redis."""
        self._keys = _keys(settings)
        self._public_url = settings.public_url
        self._client = HttpClient(_guard(settings), tls=_tls(settings), proxy=_proxy(settings))

    async def send(self, ctx: JobContext, payload: Webhook) -> Answer:
        """Send one webhook once. Raises NoSecret, CallbacksOff, AddressNotAllowed, or a fault of
        lib/http1/client/faults.py."""
        timeout_s = ctx.timeout_s
        deadline_s = asyncio.get_running_loop().time() + max(timeout_s * DEADLINE_SHARE, timeout_s - DEADLINE_MARGIN_S)
        fields = self._fields(ctx, payload)
        if payload.completion == "callback":
            if not self._public_url:
                raise CallbacksOff("this worker has no PUBLIC_URL that the receiver could call back")
            fields.append(("Waybill-Callback", f"{self._public_url}/api/callbacks/{await ctx.callback_key()}"))
        request = ClientRequest(payload.method, payload.target, fields, payload.content)
        try:
            return await self._client.send(request, deadline_s=deadline_s)
        except HttpClientFault as fault:
            if fault.is_dead:
                raise AddressNotAllowed(str(fault)) from None
            raise

    async def close(self) -> None:
        await self._client.close()

    def _fields(self, ctx: JobContext, payload: Webhook) -> list[tuple[str, str]]:
        """The header fields of this attempt. The timestamp is this attempt's, the id is the same in all."""
        timestamp_s = int(self.clock())
        keys = payload.keys or self._keys
        if not keys:
            self.warning = UNSENT if payload.signed else UNSIGNED
        if not keys and payload.signed:
            raise NoSecret("it must be signed, and there is no secret; set WEBHOOK_SECRET, and restart the worker")
        signed = [("webhook-signature", signature(keys, ctx.job_id, timestamp_s, payload.content))] if keys else []
        given = {name.lower() for name in payload.headers}
        usual = [("User-Agent", f"Waybill/{__version__}"), ("Content-Type", payload.content_type)]
        return [
            *[(name, value) for name, value in usual if value and name.lower() not in given],
            *payload.headers.items(),
            ("webhook-id", ctx.job_id),
            ("webhook-timestamp", str(timestamp_s)),
            *signed,
            ("traceparent", ctx.traceparent),
            ("X-Request-ID", ctx.request_id),
            ("Waybill-Attempt", f"{ctx.attempt}/{ctx.max_attempts}"),
        ]


def check_settings(settings: Settings) -> None:
    """Raises ConfigError with every fault of the settings of webhooks."""
    faults: list[str] = []
    for read in (_keys, _guard, _tls, _proxy):
        try:
            read(settings)
        except ConfigError as fault:
            faults += fault.faults
    if faults:
        raise ConfigError(faults)


def settings_in_words(settings: Settings) -> str:
    """A line for the doctor. Raises ConfigError as `check_settings`."""
    check_settings(settings)
    count = len(_keys(settings))
    signed = f"signed by {count} secret{'s' if count > 1 else ''}" if count else "unsigned (WEBHOOK_SECRET is empty)"
    allowed = settings.webhook_allow_private
    private = {"": "alone", "1": "and private ones"}.get(allowed, f"and to {allowed}")
    proxy = " through a proxy" if settings.webhook_proxy else ""
    return f"webhooks go out {signed}, to public addresses {private}{proxy}"


def admits(settings: Settings) -> Callable[[Webhook], None]:
    """The check of a payload at POST: a URL that names an address which webhooks may not reach is refused, and where
    there is no PUBLIC_URL a webhook that is to be ended by a callback.

    A URL that names a host is looked up by the runner alone, when it connects: the DNS may say something else then.
    """
    guard = _guard(settings)

    def check(payload: Webhook) -> None:
        if guard.refuses_literal(payload.target.host):
            words = f"is at an address that webhooks may not reach; {HOW_TO_ALLOW}"
            raise Invalid([FieldError("/url", words)])
        if payload.completion == "callback" and not settings.public_url:
            words = "can't be callback here: set PUBLIC_URL, on servers and workers, so that receivers can call back"
            raise Invalid([FieldError("/completion", words)])

    return check


def _keys(settings: Settings) -> tuple[bytes, ...]:
    try:
        return read_secrets(settings.webhook_secret)
    except ValueError as fault:
        raise ConfigError([f"WEBHOOK_SECRET: it {fault}"]) from None


def _guard(settings: Settings) -> Guard:
    try:
        return Guard(parse_allowed(settings.webhook_allow_private))
    except ValueError as fault:
        raise ConfigError([f"WEBHOOK_ALLOW_PRIVATE: {fault}"]) from None


def _tls(settings: Settings) -> ssl.SSLContext:
    path = settings.webhook_ca_file
    try:
        return client_tls(None if path is None else str(path))
    except OSError as fault:  # An ssl.SSLError is one: the file holds no certificate.
        raise ConfigError([f"WEBHOOK_CA_FILE: {path} can't be read, or holds no certificate: {fault}"]) from None


def _proxy(settings: Settings) -> WebProxy | None:
    try:
        return read_proxy(settings.webhook_proxy) if settings.webhook_proxy else None
    except ValueError as fault:
        raise ConfigError([f"WEBHOOK_PROXY: it {fault}"]) from None
