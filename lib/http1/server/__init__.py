"""HTTP/1.1 as a server speaks it, and nothing of jobs or Redis.

    limits.py      every number that bounds a request or a connection
    head.py        the text of a request line and its fields -> Request      pure
    chunked.py     the chunked coding -> a body                              pure
    parser.py      bytes in, requests out: the order of the two above        pure
    connection.py  one socket's life: read, parse, call the app, write
    lingering.py   the connections that are read on after their last answer, and their bounds
    one_task.py    the task in which a connection's answers are made that have to be awaited
    listener.py    the listening socket, the cap on connections, the sweep of deadlines, draining

RFC 9112 and RFC 9110 strictly: what could be read in two ways is 400 and the connection closes.
"""
