"""HTTP for any application: the work on every request before and after the operation that answers it.

    middleware.py    the order in which a request is checked, answered and logged
    router.py        the table of operations, and which of them a request asks for
    auth.py          which key a request bears, and what the key's owner may do; key_ring.py reads the keys anew
    failed_tries.py rate_limit.py    how often an address may send a wrong key, and a caller a request
    accept.py query.py preferences.py json_body.py browsers.py    the parts of a request, each checked
    problems.py json_answer.py page.py compression.py             the parts of an answer
    request_counts.py    how many requests were answered, and how fast, for GET /metrics
    drain.py             whether the server is about to stop

Nothing in this room knows a job or a queue: `api/` hands its operations in.
"""
