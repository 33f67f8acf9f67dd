"""A runner's registration in one queue: a `Lease` under a runner id, and a new one whenever this one is taken for dead.

A runner without a heartbeat for LEASE_S is reaped, and its jobs go to other runners. Its next claim is then refused
(NotRegistered), and it registers under a new id. Handlers of the old id may still run, and nothing they report changes
their jobs in Redis. Once these handlers have ended, `sign_off_former` gives back what is left in the old id's list.
"""

from collections.abc import Callable, Collection

from lib.logs.log import Log
from lib.queue.bulkheads import ALL, Bulkheads
from lib.queue.lease import Lease, NotRegistered
from lib.queue.queue_store import QueueStore
from lib.settings.config import Settings


class Registration:
    """make_lease: makes a Lease under a new runner id. about: what Redis and GET /workers tell of this runner,
    {"host": …, "pid": …, "concurrency": 10, "started_ms": …, "version": …, "lease_s": 30}."""

    def __init__(
        self,
        make_lease: Callable[[], Lease],
        about: dict[str, object],
        queues: QueueStore,
        settings: Settings,
        bulkheads: Bulkheads,
        log: Log,
    ) -> None:
        self._make_lease = make_lease
        self._about = about
        self._queues = queues
        self._settings = settings
        self._bulkheads = bulkheads
        self._log = log
        self.lease = make_lease()
        self.is_known = False
        """Whether `register` has succeeded for this lease."""
        self._former: list[Lease] = []

    async def register(self) -> None:
        """Make this runner known in Redis as one of the queue's."""
        lease = self.lease
        await lease.register(self._about)
        runners, lease_s = self._queues.runners, self._settings.lease_s
        with self._bulkheads.around(ALL, "fleet"):
            await runners.show_version([lease.runner_id], lease_s)
        with self._bulkheads.around(ALL, "count"):
            await runners.show([lease.runner_id], lease_s)
        self.is_known = True
        most = self._about["concurrency"]
        self._log.info("worker.registered", f"Worker {lease.runner_id} serves {lease.queue}, {most} at a time")

    def renew(self, fault: NotRegistered) -> None:
        """Redis does not know this runner (any more): make a lease under a new id, for `register`."""
        lease = self.lease
        if fault.is_forgotten:
            why = "it was emptied, or the queue removed while the worker was not heard of"
            msg = f"Redis knows nothing of worker {lease.runner_id} in {lease.queue}: {why}; coming back"
            self._log.error("worker.forgotten", msg, queue=lease.queue)
        else:
            msg = f"Worker {lease.runner_id} was taken for dead in {lease.queue}; coming back"
            self._log.warning("worker.reaped", msg, queue=lease.queue)
        self._former.append(lease)
        self.lease = self._make_lease()
        self.is_known = False

    async def sign_off_former(self, in_use: Collection[str]) -> None:
        """Sign off the former ids without jobs. in_use: the runner ids under which this process has jobs."""
        for lease in [lease for lease in self._former if lease.runner_id not in in_use]:
            await self._sign_off(lease)
            self._former.remove(lease)

    async def sign_off(self) -> None:
        """Sign off under all ids, once Redis has every end. A job that was popped and not claimed goes back."""
        for lease in (*self._former, self.lease):
            await lease.wait_until_idle()
            await self._sign_off(lease)

    async def _sign_off(self, lease: Lease) -> None:
        crash_limit = self._settings.crash_limit
        await self._queues.runners.reap(lease.queue, lease.runner_id, is_crash=False, crash_limit=crash_limit)
        with self._bulkheads.around(ALL, "count"):
            await self._queues.runners.hide([lease.runner_id])
