"""What a TLS socket of ours needs beside `ssl`: when it breaks, it must not break the others of its thread.

OpenSSL keeps a queue of errors for each thread, and looks there first when it tells what came of a read or a write. A
newer Python (3.13.5 and OpenSSL 3.5, as on Debian 13) raises a connection reset amid a write and leaves it there:
every TLS link of the thread is then told "connection reset" by its next read, for good.
https://github.com/python/cpython/issues/148594

So whoever closes a TLS socket that the event loop's thread reads and writes calls `forget_errors`. Two kinds of socket
need no call: those of asyncio (redis-py's for rediss:// are), for there OpenSSL reads and writes memory, not a socket;
and those that a thread opens and hands on, as dial.py does, for all that it does next with TLS is a handshake.

WHY NOT TLS in memory for our own sockets as well: it would take the bytes of a mail before the system has them, and
session.py's verdicts lean on what the system took. Nor would it help where a job's own code has left an error in the
thread: here the first link that meets such an error closes, and empties the queue for all others.
"""

import ssl
from contextlib import suppress


def forget_errors() -> None:
    """Empty this thread's queue of OpenSSL errors. It takes about 0.1 ms.

    `ssl` has no function for it, but OpenSSL empties the queue where a handshake begins: so one is begun, in memory.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="nobody").do_handshake()
