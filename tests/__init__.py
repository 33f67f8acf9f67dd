ON_CLUSTER = "WAYBILL_TESTS_ON_CLUSTER"
"""In the environment, this variable has the tests of `redis` run on a Cluster. It is named here, and not in
private_cluster.py, because most tests need no redis-py."""
