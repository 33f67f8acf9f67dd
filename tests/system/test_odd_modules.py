"""Job modules that change the process which imports them, or leave something in it: server and worker work and stop all
the same. Those that are no good at all: exit 78 and a sentence, from whichever program."""

import os
import signal
import time
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.private_redis import PrivateRedis, wait_until
from tests.processes import JOB_MODULES, Program, Server, Worker

ODD = {
    # As uvloop's, which is for a loop of its own: no way to wait for a program. And it gives nothing that is a loop.
    "policy": """
        import asyncio
        class Policy(asyncio.AbstractEventLoopPolicy):
            def new_event_loop(self): return None
        asyncio.set_event_loop_policy(Policy())""",
    "signals": """
        import os, signal
        signal.signal(signal.SIGTERM, lambda *_: os._exit(44))
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())""",
    "imports": "import sys; sys.path.clear(); sys.meta_path = []",
    "process": """
        import logging, os, socket, sys, warnings
        os.chdir("/")
        os.environ.clear()
        logging.disable(logging.CRITICAL)
        socket.setdefaulttimeout(0.001)
        sys.setrecursionlimit(200)
        sys.stdout.close()
        warnings.simplefilter("error")""",
    "threads": """
        import threading, time
        threading.Thread(target=time.sleep, args=(600,), name="left-behind").start()""",
    "hooks": "import atexit, time; atexit.register(time.sleep, 600)",
    "state": """
        import signal
        from dataclasses import dataclass
        from lib.jobs.registry import job
        def state():
            blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGTERM, signal.SIGINT}
            return f"SIGPIPE {signal.getsignal(signal.SIGPIPE)!r}, blocked {sorted(blocked)}"
        @dataclass
        class Asked:
            refuse: bool = False
            def __post_init__(self):
                if self.refuse: raise ValueError(state())
        @job
        def tell_state(ctx, payload: Asked): return state()""",
}
AT_WORK = ("policy", "signals", "imports", "process", "state")
AT_ITS_END = ("policy", "signals", "imports", "process", "threads", "hooks")
AS_IT_SHOULD = "SIGPIPE <Handlers.SIG_IGN: 1>, blocked []"


class OddCase(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.folder = Path(self.enterContext(TemporaryDirectory()))

    def written(self, **texts: str) -> str:
        """JOB_MODULES with these modules, beside those of the tests."""
        with_jobs = "from lib.jobs.registry import job\n@job\ndef of_{name}(ctx, payload): ...\n"
        for name, text in texts.items():
            lines = [line.removeprefix(" " * 8) for line in text.split("\n")]
            (self.folder / f"odd_{name}.py").write_text(with_jobs.format(name=name) + "\n".join(lines) + "\n")
        return ",".join([*(f"odd_{name}" for name in texts), JOB_MODULES])

    def program(self, kind: type[Program], modules: str, **settings: object) -> Any:
        """Not started."""
        program = kind(self.redis.url, JOB_MODULES=modules, PYTHONPATH=self.folder, **settings)
        self.addCleanup(program.close)
        return program


class Works(OddCase):
    def test_jobs_are_taken_and_run_whatever_modules_have_set_and_a_signal_to_all_is_one_stop(self) -> None:
        modules = self.written(**{name: ODD[name] for name in AT_WORK})
        server = self.enterContext(self.program(Server, modules, SERVER_PROCESSES=2))
        worker = self.enterContext(self.program(Worker, modules))

        results = {name: self.done(server, name) for name in ("terminate_a_child", "tell_state", "talk_thread")}

        self.assertEqual(-signal.SIGTERM, results["terminate_a_child"])
        self.assertEqual(AS_IT_SHOULD, results["tell_state"])
        _, refused, _ = server.request("POST", "/api/jobs", {"type": "tell_state", "payload": {"refuse": True}})
        self.assertIn(AS_IT_SHOULD, refused["errors"][0]["detail"])
        children = [line["child"] for line in server.logged("process.started")]
        for pid in (*children, server.pid, *worker.runner_pids(), worker.pid):
            os.kill(pid, signal.SIGTERM)
        self.assertEqual([0, 0], [server.wait(), worker.wait()], server.said())
        self.assertEqual([[], []], [server.logged("process.died"), worker.logged("runner.died")])

    def test_one_server_stops_whatever_modules_have_set_and_left(self) -> None:
        server = self.enterContext(self.program(Server, self.written(**{name: ODD[name] for name in AT_ITS_END})))
        began_s = time.monotonic()

        self.assertEqual(0, server.stop())

        self.assertLess(time.monotonic() - began_s, 10)
        self.assertEqual(1, len(server.logged("server.stopped")))
        self.assertNotIn("Traceback", server.said())
        self.assertIn("Waybill ends without threads of the job modules (left-behind), which", server.said())

    def test_what_is_printed_goes_into_no_file_that_was_opened_for_something_else(self) -> None:
        modules = self.written(closes="import os; os.close(1); os.close(2)")

        server = self.enterContext(self.program(Server, modules))

        self.assertEqual(0, server.stop())
        self.assertEqual("server.stopped", server.logged()[-1]["event"])  # Every line of the file is JSON.

    def done(self, server: Server, type_name: str) -> Any:
        """The result of a job of that type."""
        _, taken, _ = server.request("POST", "/api/jobs", {"type": type_name, "payload": {}, "max_attempts": 1})
        _, job, _ = server.request("GET", f"/api/jobs/{taken['id']}?wait=20")
        self.assertEqual("completed", job["state"], job)
        return job["result"]


class Refused(OddCase):
    def test_each_program_says_every_fault_and_ends_with_78_beside_a_thread_that_goes_on(self) -> None:
        raised = {
            "cancelled": "import asyncio; raise asyncio.CancelledError",
            "keyboard": "raise KeyboardInterrupt",
            "unspeakable": "class Un(Exception):\n    def __str__(self): raise SystemExit\nraise Un",
        }
        modules = self.written(threads=ODD["threads"], **raised)
        (self.folder / "odd_jobless.py").touch()
        modules = f"{modules},odd_jobless,email"
        server = self.program(Server, modules)
        worker = self.program(Worker, modules)

        server.start()
        worker.start()
        code, _ = worker.examined()

        self.assertEqual([78, 78, 78], [server.wait(), worker.wait(), code])
        for program in (server, worker):
            for name in raised:
                self.assertIn(f"JOB_MODULES: odd_{name} can't be imported: ", program.said())
            self.assertIn("odd_jobless has no job", program.said())
            self.assertIn("email is the name of one of Python's own modules", program.said())
            self.assertNotIn("Traceback", program.said())

    def test_one_that_closes_what_it_did_not_open_is_told(self) -> None:
        modules = self.written(closes="import os; os.closerange(3, 100)")
        server, worker = self.program(Server, modules, SERVER_PROCESSES=2), self.program(Worker, modules)

        server.start()
        worker.start()

        self.assertEqual([78, 78], [server.wait(), worker.wait()])
        for program in (server, worker):
            self.assertIn("a module closes descriptors that it did not open", program.said())

    def test_ctrl_c_while_they_are_imported_ends_the_server_at_once(self) -> None:
        begun = self.folder / "begun"
        slow = f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(600)"
        server = self.program(Server, self.written(slow=slow))
        # Where these tests run in the background of a shell, it is ignored, and what is started inherits that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        server.start()
        wait_until(begun.exists, "the import has begun")

        server.signal(signal.SIGINT)

        self.assertEqual(-signal.SIGINT, server.wait())
        self.assertEqual("", server.said())


if __name__ == "__main__":
    unittest.main()
