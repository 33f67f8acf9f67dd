"""Groups shown as the hosts of webhooks."""

import unittest

from lib.api.hosts import _present
from lib.jobs.group_strikes import GroupStrikes
from lib.queue.group_store import Group

AT_MS = 1764410000123
STRIKES = GroupStrikes(3, AT_MS, AT_MS + 4000, "LinkLost: host:443 closed the link")
HOST = Group("host:443", 812, 1, None, None, 10, None, None)


class Shown(unittest.TestCase):
    def test_a_host_that_takes_its_webhooks(self) -> None:
        self.assertEqual(
            {
                "host": "host:443",
                "waiting": 812,
                "running": 1,
                "strikes": 0,
                "last_failure": None,
                "held_until": None,
                "reason": None,
            },
            _present(HOST),
        )

    def test_a_host_that_does_not_answer(self) -> None:
        shown = _present(HOST._replace(limited_by="hold", until_ms=STRIKES.until_ms, strikes=STRIKES))

        failure = {"at": "2025-11-29T09:53:20.123Z", "error": "LinkLost: host:443 closed the link"}
        self.assertEqual((3, failure), (shown["strikes"], shown["last_failure"]))
        self.assertEqual(("2025-11-29T09:53:24.123Z", "strikes"), (shown["held_until"], shown["reason"]))

    def test_the_reason_is_what_keeps_webhooks_waiting(self) -> None:
        for limited_by, until_ms, strikes, reason in (
            (None, None, None, None),
            ("concurrency", None, None, None),
            ("concurrency", None, STRIKES, "strikes"),
            (None, None, STRIKES, "strikes"),
            ("hold", STRIKES.until_ms, STRIKES, "strikes"),
            ("hold", STRIKES.until_ms + 1, STRIKES, "retry_after"),
            ("hold", AT_MS, None, "retry_after"),
            ("rate", AT_MS, STRIKES, "rate"),
            ("paused", None, STRIKES, "paused"),
        ):
            shown = _present(HOST._replace(limited_by=limited_by, until_ms=until_ms, strikes=strikes))

            self.assertEqual(reason, shown["reason"], (limited_by, until_ms))


if __name__ == "__main__":
    unittest.main()
