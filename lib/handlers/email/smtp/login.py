"""Log in to an SMTP server, by the first way that it offers and that our secret fits (RFC 4954), in UTF-8.

Called by dial.py, in its thread, over TLS or to this machine alone. WHY NOT smtplib's own: it can't send a user or
a password beyond ASCII, and offers a refused one again by every other method, which gets accounts locked.

    a password   PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195)
    a token      XOAUTH2 (Google's and Microsoft's), OAUTHBEARER (RFC 7628)

No error holds a secret, not even where the server's own words repeat it.
"""

import base64
import binascii
import hmac
import smtplib
from collections.abc import Callable, Mapping, Sequence

from lib.handlers.email.smtp.verdicts import Reply, SMTPLoginRefused, check

_GO_ON = 334
_TOLD_CHARS = 6
_Step = Callable[[bytes], str]
"""What is said to a 334, given what stood in that; not yet in base64."""


def by_password(smtp: smtplib.SMTP, user: str, password: str) -> None:
    """Raises SMTPLoginRefused, SMTPServerBusy, SMTPLinkLost, or what smtplib does where the link breaks."""
    name = _offered(smtp, _BY_PASSWORD, "SMTP_URL's password")
    answer = _talk(smtp, name, _BY_PASSWORD[name](user, password))
    _check(answer, (password, _base64(password), _base64(_plain(user, password))))


def by_token(smtp: smtplib.SMTP, user: str, token: str, host: str, port: int) -> None:
    """host, port: where the session is. Raises as `by_password` does."""
    name = _offered(smtp, _BY_TOKEN, "a token")
    words, bow = _BY_TOKEN[name]
    said = words(user, token, host, port)
    answer = _docmd(smtp, f"AUTH {name} {_base64(said)}")
    if answer[0] == _GO_ON:
        # It says what is wrong with the token, as JSON, and says no once it has an answer.
        why = _challenge(answer)
        code, text = _docmd(smtp, bow)
        answer = code, _bytes(text) + b" " + why
    _check(answer, (token, _base64(token), _base64(said)))


def _offered(smtp: smtplib.SMTP, known: Mapping[str, object], secret: str) -> str:
    offers = smtp.esmtp_features.get("auth", "").upper().split()
    for name in known:
        if name in offers:
            return name
    told = ", ".join(offers) or "none"
    raise SMTPLoginRefused(f"AUTH: the server offers no way of login for {secret} (it offers: {told})")


def _talk(smtp: smtplib.SMTP, name: str, steps: Sequence[_Step]) -> Reply:
    """The answer to the last step, or to the first that is no 334."""
    if name == "PLAIN":
        return _docmd(smtp, f"AUTH PLAIN {_base64(steps[0](b''))}")
    answer = _docmd(smtp, f"AUTH {name}")
    for step in steps:
        if answer[0] != _GO_ON:
            break
        answer = _docmd(smtp, _base64(step(_challenge(answer))))
    return answer


def _docmd(smtp: smtplib.SMTP, words: str) -> Reply:
    code, text = smtp.docmd(words)
    return code, text


def _challenge(answer: Reply) -> bytes:
    try:
        return base64.b64decode(_bytes(answer[1]))
    except binascii.Error:
        return b""


def _check(answer: Reply, secrets: Sequence[str]) -> None:
    code, text = answer[0], _bytes(answer[1])
    for secret in secrets:
        # A shorter one may be a part of any word, and would be told by what is missing.
        if len(secret) >= _TOLD_CHARS:
            text = text.replace(secret.encode(), b"***")
    check("AUTH", (code, text), SMTPLoginRefused)


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _plain(user: str, password: str) -> str:
    return f"\0{user}\0{password}"


def _cram_md5(user: str, password: str, challenge: bytes) -> str:
    try:
        return f"{user} {hmac.new(password.encode(), challenge, 'md5').hexdigest()}"
    except ValueError:
        raise SMTPLoginRefused("AUTH: the server offers CRAM-MD5 alone, and this system allows no MD5") from None


_BY_PASSWORD: dict[str, Callable[[str, str], Sequence[_Step]]] = {
    "PLAIN": lambda user, password: [lambda _: _plain(user, password)],
    "LOGIN": lambda user, password: [lambda _: user, lambda _: password],
    "CRAM-MD5": lambda user, password: [lambda challenge: _cram_md5(user, password, challenge)],
}


def _xoauth2(user: str, token: str, host: str, port: int) -> str:
    return f"user={user}\1auth=Bearer {token}\1\1"


def _oauthbearer(user: str, token: str, host: str, port: int) -> str:
    name = user.replace("=", "=3D").replace(",", "=2C")  # RFC 5801, 4: saslname
    return f"n,a={name},\1host={host}\1port={port}\1auth=Bearer {token}\1\1"


_BY_TOKEN: dict[str, tuple[Callable[[str, str, str, int], str], str]] = {
    "XOAUTH2": (_xoauth2, ""),
    "OAUTHBEARER": (_oauthbearer, _base64("\1")),
}
"""What is said, and what acknowledges that the server will have none of it: nothing, or RFC 7628, 3.2.3's ^A."""
