"""HTTP/1.1 and nothing else: no jobs, no Redis.

message.py   Request and Response, the only two things that an application sees        pure
server/      HTTP/1.1 as a server speaks it, from the listening socket to the reply
"""
