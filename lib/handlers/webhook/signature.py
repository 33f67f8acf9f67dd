"""The signature of a webhook, as Standard Webhooks has it (https://www.standardwebhooks.com, symmetric keys). Pure.

    secret      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signed      "<webhook-id>.<webhook-timestamp>.<body>"   with HMAC-SHA256 and the bytes behind whsec_, in base64
    header      webhook-signature: v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=

Several secrets, parted by blanks, make a signature each. So a secret is changed without a gap: the sender signs with
the new one and the old one until every receiver has the new one.
"""

import base64
import binascii
import functools
import hmac

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
MOST_SECRETS = 5
SECRET_RULE = f"{PREFIX} and the base64 of {LEAST_BYTES} to {MOST_BYTES} bytes"


def read_secrets(text: str) -> tuple[bytes, ...]:
    """The keys in `text`, which holds secrets parted by blanks; () for an empty text.

    Raises ValueError, whose words follow the field's name and hold no part of a secret.
    """
    words = text.split()
    if len(words) > MOST_SECRETS:
        raise ValueError(f"holds {len(words)} secrets, at most {MOST_SECRETS}")
    return tuple(_key(word) for word in words)


def signature(keys: tuple[bytes, ...], webhook_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of the header webhook-signature: "v1,<base64>", one for each key, parted by blanks."""
    signed = f"{webhook_id}.{timestamp_s}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(_digest(key, signed)).decode()}" for key in keys)


def _digest(key: bytes, signed: bytes) -> bytes:
    mac = _mac_of(key).copy()
    mac.update(signed)
    return mac.digest()


@functools.lru_cache(maxsize=64)
def _mac_of(key: bytes) -> hmac.HMAC:
    """WHY kept: to make one for each webhook costs more than to sign the webhook."""
    return hmac.new(key, digestmod="sha256")


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise ValueError(f"is not {SECRET_RULE}: it does not begin with {PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"is not {SECRET_RULE}: what stands behind {PREFIX} is not base64") from None
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"is not {SECRET_RULE}: it has {len(key)} bytes")
    return key
