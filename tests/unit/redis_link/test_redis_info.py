"""What INFO says of the server, as Redis and Valkey tell it, each in its own words."""

import unittest

from lib.redis_link.redis_info import _warnings, fields_of, is_cluster_node, product

REDIS = "# Server\r\nredis_version:7.0.15\r\nredis_mode:{mode}\r\nrun_id:1f\r\n"
VALKEY = (
    "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\nvalkey_release_stage:ga\r\n"
    "server_mode:{mode}\r\nrun_id:1f\r\n"
)
VALKEY_COMPATIBLE = VALKEY.replace("server_mode", "redis_mode")  # extended-redis-compatibility yes


class Product(unittest.TestCase):
    def test_each_has_its_own_name_and_version(self) -> None:
        for info, expected in (
            (REDIS, ("Redis", "7.0.15")),
            (VALKEY, ("Valkey", "8.1.1")),
            (VALKEY_COMPATIBLE, ("Valkey", "8.1.1")),
            ("# Server\r\n", ("Redis", "unknown")),
        ):
            self.assertEqual(expected, product(fields_of(info)))

    def test_a_node_of_a_cluster_is_known_for_one(self) -> None:
        for info in (REDIS, VALKEY, VALKEY_COMPATIBLE):
            for mode, expected in (("cluster", True), ("standalone", False), ("sentinel", False)):
                self.assertIs(expected, is_cluster_node(fields_of(info.format(mode=mode))))

    def test_settings_under_which_jobs_can_be_lost_are_told_of(self) -> None:
        for info, expected in (
            ({"aof_enabled": "1", "maxmemory_policy": "noeviction", "aof_last_write_status": "ok"}, []),
            ({"aof_enabled": "0"}, ["redis_not_durable"]),
            ({"maxmemory_policy": "allkeys-lru"}, ["redis_evicts"]),
            ({"aof_last_write_status": "err"}, ["redis_write_failed"]),
            ({"aof_last_bgrewrite_status": "err"}, ["redis_write_failed"]),
        ):
            self.assertEqual(expected, [one.code for one in _warnings(info, "Redis", "7.0.15")])

    def test_a_redis_that_is_too_old_is_told_of(self) -> None:
        self.assertEqual(["redis_too_old"], [one.code for one in _warnings({}, "Redis", "6.2.14")])
        self.assertEqual([], _warnings({}, "Redis", "unknown"))


if __name__ == "__main__":
    unittest.main()
