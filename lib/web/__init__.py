"""HTTP for an application, whatever it is: what happens to every request before and after its operation.

    middleware.py    the order of all of it; router.py finds the operation
    auth.py          who calls; key_ring.py the keys, failed_tries.py and rate_limit.py how often
    accept.py query.py preferences.py json_body.py browsers.py    what a request says, checked
    problems.py json_answer.py page.py compression.py             what an answer is made of
    request_counts.py                                             what is counted of them

Knows no job and no queue: `api/` hands those in.
"""
