"""A caller's requests against RATE_LIMIT: so many at once, so many again in time, counted once for all processes."""

import asyncio

from lib.queue.caller_rates import CallerRate, CallerRates
from tests.redis.case import RedisCase

HOUR_S = 3600


class Take(RedisCase):
    def rates(self, limit: int, per_s: int) -> CallerRates:
        return CallerRates(self.link, self.keys, CallerRate(limit, per_s))

    async def spend(self, rates: CallerRates, count: int) -> int:
        """How many of so many requests are taken."""
        return sum([(await rates.count_call("ops")).is_allowed for _ in range(count)])

    async def test_exactly_the_limit_is_taken_and_the_next_one_is_told_when(self) -> None:
        # 7 do not part an hour into whole microseconds.
        for limit in (1, 7, 600):
            self.client.delete("wb:calls:ops")
            rates = self.rates(limit, HOUR_S)

            left = [(await rates.count_call("ops")).left for _ in range(limit)]
            refused = await rates.count_call("ops")

            self.assertEqual([*reversed(range(limit))], left)
            self.assertEqual((False, 0), (refused.is_allowed, refused.left))
            self.assertAlmostEqual(HOUR_S / limit, refused.next_in_s, delta=5)
            self.assertAlmostEqual(HOUR_S, refused.whole_in_s, delta=5)

    async def test_callers_do_not_count_for_each_other(self) -> None:
        rates = self.rates(1, HOUR_S)

        taken = [
            (await rates.count_call(caller)).is_allowed for caller in ("ops", "shop", "ops", "2001:db8::", "2001:db8::")
        ]

        self.assertEqual([True, True, False, True, False], taken)

    async def test_what_is_refused_does_not_count(self) -> None:
        rates = self.rates(10, HOUR_S)
        await self.spend(rates, 10)
        before = self.client.get("wb:calls:ops")

        self.assertEqual(0, await self.spend(rates, 100))

        self.assertEqual(before, self.client.get("wb:calls:ops"))

    async def test_they_come_back_one_by_one_and_nothing_is_left_behind(self) -> None:
        rates = self.rates(10, HOUR_S)
        await self.spend(rates, 10)
        # As if 6.5 minutes had passed, in which one request comes back.
        self.client.set("wb:calls:ops", int(self.client.get("wb:calls:ops")) - 390 * 10**6)

        self.assertEqual(1, await self.spend(rates, 5))

        ttl_s = self.client.ttl("wb:calls:ops")
        self.assertGreater(ttl_s, HOUR_S - 400)
        self.assertLessEqual(ttl_s, HOUR_S)

    async def test_many_processes_at_once_take_exactly_the_limit(self) -> None:
        each = [CallerRates(self.a_link(), self.keys, CallerRate(50, HOUR_S)) for _ in range(4)]

        taken = await asyncio.gather(*(rates.count_call("ops") for rates in each for _ in range(40)))

        self.assertEqual(50, sum(one.is_allowed for one in taken))
