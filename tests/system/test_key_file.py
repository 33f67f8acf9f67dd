"""API_KEYS_FILE: read anew at SIGHUP, by all processes of a server; a wrong one changes nothing."""

import fcntl
import http.client
import os
import secrets
import signal
import tempfile
import termios
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from lib.settings import config
from lib.settings.api_keys import new_key
from tests.private_redis import PrivateRedis, wait_until
from tests.processes import LIMIT_S, Server, hang_up_obeyed


class Detached(Server):
    """Without a controlling terminal, wherever the tests run; or with one, a pseudo-terminal of its own."""

    terminal: int | None = None

    def start(self) -> None:
        def take_terminal() -> None:
            if self.terminal is not None:
                fcntl.ioctl(self.terminal, termios.TIOCSCTTY, 0)

        self.spawn(
            start_new_session=True,
            preexec_fn=take_terminal,
            pass_fds=() if self.terminal is None else (self.terminal,),
        )


def sockets(pid: int) -> int:
    """How many that process has open; 0 for one that has ended."""
    try:
        return sum(str(link.readlink()).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return 0


def have_read_their_settings(server: Server) -> bool:
    """Whether both children live and are past their settings: they have links to Redis."""
    started, died = ({line["child"] for line in server.logged(f"process.{what}")} for what in ("started", "died"))
    return len(started - died) == 2 and all(sockets(int(child)) > 3 for child in started - died)


class KeyFile(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = self.enterContext(PrivateRedis())
        self.key, self.entry = new_key("shop", "read", "", secrets.choice)
        self.other, self.other_entry = new_key("desk", "read", "", secrets.choice)

    def server(self, **settings: object) -> tuple[Detached, Path]:
        server = Detached(self.redis.url, **settings)
        self.addCleanup(server.close)
        file = server.folder / "keys"
        file.write_text(f"# who may call\n{self.entry}\n", encoding="utf-8")
        server.settings["API_KEYS_FILE"] = file
        server.start()
        server.wait_until_ready()
        return server, file

    def are_good(self, link: http.client.HTTPConnection) -> tuple[bool, bool]:
        """Whether each of the two keys is taken, on one connection. (A wrong one is 401, and after ten 429.)"""
        found = []
        for key in (self.key, self.other):
            link.request("GET", "/api/queues", headers={"Authorization": f"Bearer {key}"})
            reply = link.getresponse()
            reply.read()
            found.append(reply.status == 200)
        return found[0], found[1]

    def link(self, server: Server) -> http.client.HTTPConnection:
        parts = urlsplit(server.url)
        link = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=LIMIT_S)
        self.addCleanup(link.close)
        return link

    def test_it_is_read_anew_at_a_hang_up_and_a_wrong_one_changes_nothing(self) -> None:
        for count in (1, 2):
            server, file = self.server(SERVER_PROCESSES=count)
            links = [self.link(server) for _ in range(6)]  # Of several processes both have some.
            self.assertEqual({(True, False)}, {self.are_good(link) for link in links})

            file.write_text(f"{self.entry}, no entry at all", encoding="utf-8")
            server.signal(signal.SIGHUP)
            (refused,) = server.wait_for("keys.refused")
            self.assertIn("API_KEYS_FILE: entry 2 is not of the form", refused["msg"])
            self.assertEqual({(True, False)}, {self.are_good(link) for link in links})

            file.write_text(self.other_entry + "\n", encoding="utf-8")
            server.signal(signal.SIGHUP)
            (told,) = server.wait_for("keys.reread")
            server.until(lambda: {self.are_good(link) for link in links} == {(False, True)}, "all have the other key")  # noqa: B023
            self.assertIn("now desk (read, ", str(told["msg"]))
            self.assertIn("no more shop (read, ", str(told["msg"]))
            self.assertNotIn(self.other.rpartition("_")[2], server.said())
            server.signal(signal.SIGTERM)
            self.assertEqual(0, server.wait())

    def test_a_stream_ends_when_its_key_is_taken_out_and_no_other_does(self) -> None:
        server, file = self.server()
        key, entry = new_key("desk", "write", "", secrets.choice)

        def use(text: str) -> None:
            count = len(server.logged("keys.reread"))
            file.write_text(text, encoding="utf-8")
            server.signal(signal.SIGHUP)
            server.wait_for("keys.reread", count + 1)

        for query in ("", "?digest_s=1"):
            with self.subTest(query):
                use(f"{self.entry}\n{entry}\n")
                gone, kept = (self.stream(server, query, one) for one in (self.key, key))

                use(entry)

                gone.read()  # To its end; LIMIT_S if it went on.
                queue = "later" if query else "late"  # Of one that is there already the second stream tells at once.
                body = {"type": "noop", "payload": {}, "queue": queue}
                status, _, _ = server.request("POST", "/api/jobs", body, Authorization=f"Bearer {key}")
                self.assertEqual(202, status)
                self.assertTrue(any(f'"{queue}"'.encode() in line for line in kept), "it goes on")

    def stream(self, server: Server, query: str, key: str) -> http.client.HTTPResponse:
        link = self.link(server)
        link.request("GET", f"/api/events{query}", headers={"Authorization": f"Bearer {key}"})
        reply = link.getresponse()
        self.assertEqual(200, reply.status)
        return reply

    def test_an_empty_file_opens_nothing_and_a_process_that_dies_meanwhile_takes_no_other_along(self) -> None:
        server, file = self.server(SERVER_PROCESSES=2)
        children = [int(line["child"]) for line in server.logged("process.started")]
        # It serves when one of them does; by its links to Redis the other has read the file, too.
        server.until(lambda: have_read_their_settings(server), "both have read their settings")
        file.write_text("# all are gone\n", encoding="utf-8")
        server.signal(signal.SIGHUP)
        (refused,) = server.wait_for("keys.refused")
        self.assertIn("API_KEYS_FILE: it holds no entry", refused["msg"])

        os.kill(children[0], signal.SIGKILL)
        # Its successor is refused by the file as it is now; the other one serves on by the keys from before.
        server.wait_for("process.died", 3)
        self.assertEqual((True, False), self.are_good(self.link(server)))

        file.write_text(self.entry, encoding="utf-8")
        # The last successor may have been started before that, and find the file as it is again.
        server.until(lambda: have_read_their_settings(server), "the slot is filled again")
        server.signal(signal.SIGTERM)
        self.assertEqual(0, server.wait())

    def test_a_hang_up_while_it_starts_is_no_stop(self) -> None:
        modules = Path(self.enterContext(tempfile.TemporaryDirectory()))
        begun = modules / "begun"
        text = f"""
import pathlib, signal, time
from lib.jobs.registry import job
pathlib.Path({str(begun)!r}).touch()
signal.sigtimedwait([signal.SIGUSR2], 1)


@job
def slow(ctx, payload): ...
"""
        (modules / "slow_to_import.py").write_text(text, encoding="utf-8")
        slow = Detached(self.redis.url, JOB_MODULES="slow_to_import", PYTHONPATH=modules)
        self.addCleanup(slow.close)
        slow.start()
        wait_until(begun.exists, "it imports its job module")

        slow.signal(signal.SIGHUP)

        slow.wait_until_ready()

    def test_where_there_is_a_terminal_a_hang_up_is_a_stop(self) -> None:
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        Detached.terminal = theirs
        self.addCleanup(setattr, Detached, "terminal", None)
        with hang_up_obeyed():
            server, _ = self.server()

        server.signal(signal.SIGHUP)

        server.wait_for("server.draining")
        self.assertEqual(0, server.wait())

    def test_a_worker_need_not_be_let_read_it(self) -> None:
        missing = {"API_KEYS_FILE": "no/such/file"}

        self.assertEqual((), config.load(missing, Path(tempfile.gettempdir()), listens=False).api_keys)

    def test_beside_api_keys_or_where_it_can_not_be_read_it_refuses_the_start(self) -> None:
        for settings, said in (
            ({"API_KEYS": self.entry, "API_KEYS_FILE": "keys"}, "API_KEYS_FILE: it can't stand beside API_KEYS"),
            ({"API_KEYS_FILE": "no/such/file", "HOST": "0.0.0.0"}, "API_KEYS_FILE: No such file or directory"),
        ):
            server = Detached(self.redis.url, **settings)
            self.addCleanup(server.close)
            server.start()

            self.assertEqual(78, server.wait())
            self.assertIn(said, server.said())
            self.assertNotIn("can be reached from elsewhere", server.said())


if __name__ == "__main__":
    unittest.main()
