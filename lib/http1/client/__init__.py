"""HTTP/1.1 as a client speaks it, to addresses that strangers may have chosen: the webhooks that jobs send.

From values to bytes and back:

    url.py              the text of a URL -> scheme, host, port, target                       pure
    client_message.py   a request as it goes out, an answer as it came in                     pure
    response_parser.py  bytes in, one answer out: every number that bounds an answer          pure
    faults.py           why there is no answer, as types

Which addresses may be dialled:

    special_ranges.py   the ranges that are nobody's in public, and WEBHOOK_ALLOW_PRIVATE     pure
    address_guard.py    a name's addresses, each looked up once and vetted

One request over one link, and the links:

    exchange.py         one link: a request is written, its answer parsed
    http_dial.py        a link is opened to a vetted address, with TLS
    http_proxy.py       a link is opened through a proxy
    kept_links.py       the links between two requests
    pool.py             HttpClient: the links that are kept, and one request from begin to end

The client never follows a redirect, never reads the environment, and dials nothing that its guard did not vet.
"""
