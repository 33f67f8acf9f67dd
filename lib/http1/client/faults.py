"""Why a request has no answer, as types. An answer of any status is no fault.

    AddressRefused      the name has no address that may be dialled: no byte was sent       is_dead
    NameNotFound        the name has no address, or the DNS does not answer                 strikes
    LinkLost            refused, reset or closed before a head was whole                    strikes
    TlsRefused          no TLS, or a certificate that is not to be trusted                  strikes
    NoHttp              what came is no answer in HTTP/1.1                                  strikes
    AnswerTimedOut      no head within the deadline                                         strikes

Each fault's text is one sentence for the job's error, "api.example.com:443 closed the link before it answered".
"""

from typing import ClassVar


class HttpClientFault(Exception):
    """A request without an answer. is_dead: it would end in the same way however often it were sent again. strikes:
    the fault is the host's and not the request's, so that any other request to that host would meet it now."""

    is_dead: ClassVar[bool] = False
    strikes: ClassVar[bool] = True


class AddressRefused(HttpClientFault):
    """The name has addresses, and none of them may be dialled. No byte was sent."""

    is_dead: ClassVar[bool] = True
    strikes: ClassVar[bool] = False


class NameNotFound(HttpClientFault):
    """The name has no address, or none was found in time."""


class LinkLost(HttpClientFault):
    """There was no link, or it broke before the head of an answer was whole."""


class TlsRefused(HttpClientFault):
    """The other side speaks no TLS, or its certificate is not to be trusted."""


class NoHttp(HttpClientFault):
    """What came is no answer in HTTP/1.1, or one that could be read in two ways."""


class AnswerTimedOut(HttpClientFault):
    """There was no head of an answer before the deadline."""
