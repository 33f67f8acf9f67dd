"""HTTP/1.1 and nothing else: no jobs, no Redis.

fields.py    header fields, read and written                                   pure
chunked.py   the chunked coding, decoded and encoded                           pure
message.py   Request and Response, which an application gets and returns       pure
app.py       the application as HTTP sees it: three calls                      pure
server/      HTTP/1.1 as a server speaks it, from the listening socket to the answer
client/      HTTP/1.1 as a client speaks it, to addresses that a guard has vetted
"""
