"""Links to Redis, and the only room that imports the package `redis`.

link.py        `RedisLink`, what the other rooms ask of Redis, and `open_link` for what REDIS_URL names
single.py      one server, or the master that a Sentinel names
cluster.py     a Cluster: which node owns which slot
redis_wire.py  one connection that all calls share
resp.py        RESP2: commands to bytes, bytes to replies                                             pure
redis_info.py  the server's clock, version and memory, and whether its settings keep the jobs
"""
