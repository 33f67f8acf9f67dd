"""HTTP/1.1 as a server speaks it, and nothing of jobs or Redis.

From bytes to requests, pure:

    limits.py      every number that bounds a request or a connection
    head.py        the text of a request line and its fields -> Request
    parser.py      bytes in, requests out: the order of heads and bodies
    life.py        a connection's states: what leads from one to the next, and how long each may last

One connection:

    connection.py  one socket's life: read, parse, call the application, write
    lifeline.py    its state, its deadline, and how it ends
    incoming.py    its reading half
    outgoing.py    its writing half
    handling.py    the request that the application has in hand
    body_stream.py a request's body, taken in pieces
    one_task.py    the task in which answers are made that have to be awaited

All connections of a listener:

    listener.py    the listening socket, the cap on connections, the sweep of deadlines, draining
    common.py      what its connections share
    lingering.py   the connections that are read on after their last answer, and their bounds

RFC 9112 and RFC 9110 strictly: a request that could be read in two ways is answered 400, and the connection closes.
"""
