ON_CLUSTER = "WAYBILL_TESTS_ON_CLUSTER"
"""In the environment of a test of `redis`: have it run on a Cluster. Here, for most tests need no redis-py."""
