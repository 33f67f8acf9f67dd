"""Log in to an SMTP server, with the first method that both the server offers and our secret fits (RFC 4954), in UTF-8.

    a password   PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195)
    a token      XOAUTH2 (Google's and Microsoft's), OAUTHBEARER (RFC 7628)

    AUTH LOGIN                 334 VXNlcm5hbWU6        every 334 asks for the next step; all in base64
    bWU=                       334 UGFzc3dvcmQ6
    c2VjcmV0                   235 welcome             or 535, which is SMTPLoginRefused

Called by dial.py, in its thread, over TLS or to this machine alone. No error holds a secret, even if the server's reply
repeats it. WHY NOT smtplib's own login: it can't send a user or a password beyond ASCII, and it tries a password that
was refused again with every other method, which gets accounts locked.
"""

import base64
import binascii
import hmac
import smtplib
from collections.abc import Callable, Mapping, Sequence

from lib.handlers.email.smtp.verdicts import Reply, SMTPLoginRefused, check

_GO_ON = 334
_HIDDEN_CHARS = 6
_Step = Callable[[bytes], str]
"""The challenge of a 334 in, our answer out; neither in base64."""


def by_password(smtp: smtplib.SMTP, user: str, password: str) -> None:
    """Raises SMTPLoginRefused, SMTPServerBusy, SMTPLinkLost, or smtplib's own error if the link breaks."""
    name = _offered(smtp, _BY_PASSWORD, "SMTP_URL's password")
    answer = _answer_steps(smtp, name, _BY_PASSWORD[name](user, password))
    _check(answer, (password, _base64(password), _base64(_plain(user, password))))


def by_token(smtp: smtplib.SMTP, user: str, token: str, host: str, port: int) -> None:
    """host, port: of the server. Raises as `by_password` does."""
    name = _offered(smtp, _BY_TOKEN, "a token")
    to_message, acknowledgement = _BY_TOKEN[name]
    message = to_message(user, token, host, port)
    answer = _docmd(smtp, f"AUTH {name} {_base64(message)}")
    if answer[0] == _GO_ON:
        # The 334 holds, as JSON, what is wrong with the token. The refusal itself follows our acknowledgement.
        why = _challenge(answer)
        code, text = _docmd(smtp, acknowledgement)
        answer = code, _bytes(text) + b" " + why
    _check(answer, (token, _base64(token), _base64(message)))


def _offered(smtp: smtplib.SMTP, known: Mapping[str, object], secret: str) -> str:
    """The first of the `known` methods that the server offers."""
    offers = smtp.esmtp_features.get("auth", "").upper().split()
    for name in known:
        if name in offers:
            return name
    listed = ", ".join(offers) or "none"
    raise SMTPLoginRefused(f"AUTH: the server offers no way of login for {secret} (it offers: {listed})")


def _answer_steps(smtp: smtplib.SMTP, name: str, steps: Sequence[_Step]) -> Reply:
    """Take the steps, one for each 334. Returns the first answer that is no 334, or the one to the last step."""
    if name == "PLAIN":
        return _docmd(smtp, f"AUTH PLAIN {_base64(steps[0](b''))}")
    answer = _docmd(smtp, f"AUTH {name}")
    for step in steps:
        if answer[0] != _GO_ON:
            break
        answer = _docmd(smtp, _base64(step(_challenge(answer))))
    return answer


def _docmd(smtp: smtplib.SMTP, command: str) -> Reply:
    code, text = smtp.docmd(command)
    return code, text


def _challenge(answer: Reply) -> bytes:
    try:
        return base64.b64decode(_bytes(answer[1]))
    except binascii.Error:
        return b""


def _check(answer: Reply, secrets: Sequence[str]) -> None:
    code, text = answer[0], _bytes(answer[1])
    for secret in secrets:
        # A shorter secret may be a part of many words, and the *** in those words would show the secret.
        if len(secret) >= _HIDDEN_CHARS:
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
"""For each method: the message with the token, and what acknowledges that the server refuses it: an empty line, or ^A
(RFC 7628, 3.2.3)."""
