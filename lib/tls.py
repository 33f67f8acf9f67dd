"""What a TLS socket of Waybill's needs beside `ssl`: when it breaks, the other TLS sockets of its thread go on.

OpenSSL keeps a queue of errors for each thread, and reads that queue first when it reports the outcome of a read or
write. A newer Python (3.13.5 with OpenSSL 3.5, as on Debian 13) raises a connection reset amid a write and leaves the
error in the queue: then every TLS link of the thread gets "connection reset" from its next read, for good.
https://github.com/python/cpython/issues/148594

So code that closes a TLS socket which the event loop's thread reads and writes calls `forget_errors`. Two kinds of
socket need no call. The sockets of asyncio (redis-py's for rediss:// are such): there OpenSSL reads and writes memory,
not the socket. And the sockets that a thread opens and hands on, as dial.py's does: the next thing that thread does
with TLS is a handshake, which empties the queue.

WHY NOT TLS in memory for Waybill's own sockets as well: it would take the bytes of a mail before the system has them,
and session.py's verdicts depend on what the system took. Nor would it help where a job's own code has left an error in
the thread. With sockets, the first link that meets such an error closes, and empties the queue for all others.
"""

import ssl
from contextlib import suppress


def forget_errors() -> None:
    """Empty this thread's queue of OpenSSL errors. It takes about 0.1 ms.

    `ssl` has no function for this, but OpenSSL empties the queue when a handshake begins: so one is begun, in memory.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="nobody").do_handshake()
