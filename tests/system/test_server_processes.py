"""SERVER_PROCESSES: one socket, several processes; whoever is killed, what was answered 202 is there."""

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import unittest
from urllib.parse import urlsplit

from tests.private_redis import PrivateRedis, wait_until
from tests.processes import LIMIT_S, Server, is_alive
from tests.system.oracle import assert_sound

BODY = b'{"type":"noop","payload":{}}'


class Poster(threading.Thread):
    """Posts jobs, one connection after another where it is cut, until `stop`. accepted: the ids of its 202s."""

    def __init__(self, url: str) -> None:
        super().__init__()
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port
        self.accepted: list[str] = []
        self.cut = 0
        self._is_stopping = threading.Event()

    def run(self) -> None:
        while not self._is_stopping.is_set():
            link = http.client.HTTPConnection(*self._address, timeout=LIMIT_S)
            try:
                while not self._is_stopping.is_set():
                    link.request("POST", "/api/jobs", BODY, {"Content-Type": "application/json"})
                    reply = link.getresponse()
                    answer = json.loads(reply.read())
                    if reply.status == 202:
                        self.accepted.append(answer["id"])
            except (OSError, http.client.HTTPException):
                self.cut += 1
            finally:
                link.close()

    def stop(self) -> None:
        self._is_stopping.set()
        self.join()


class Processes(unittest.TestCase):
    def setUp(self) -> None:
        self.redis = PrivateRedis()
        self.addCleanup(self.redis.close)
        self.redis.start()

    def server(self, count: int = 2, **settings: object) -> Server:
        server = Server(self.redis.url, SERVER_PROCESSES=count, **settings)
        self.addCleanup(self.close, server)
        server.start()
        return server

    def ready(self, count: int = 2, **settings: object) -> Server:
        """With every process at work."""
        server = self.server(count, **settings)
        server.wait_until_ready()
        wait_until(lambda: len(self.children(server)) == count, "all have started")
        return server

    def links(self) -> int:
        return sum(link["name"] == "waybill" for link in self.redis.client.client_list())

    def close(self, server: Server) -> None:
        children = self.children(server)
        server.kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.close()

    @staticmethod
    def children(server: Server) -> list[int]:
        """Those that live, oldest first."""
        pids = [int(line["child"]) for line in server.logged("process.started")]
        return [pid for pid in pids if is_alive(pid)]

    def test_one_process_stays_one(self) -> None:
        server = self.server(1)
        server.wait_until_ready()

        self.assertEqual([], server.logged("process.started"))
        self.assertEqual(server.pid, server.logged("server.started")[0]["pid"])

    def test_what_is_said_at_the_start_is_said_once_and_by_the_first(self) -> None:
        server = self.ready(3)

        for event in ("environment.loaded", "redis.found", "middlewares.loaded", "server.started"):
            self.assertEqual(1, len(server.wait_for(event)), event)
        self.assertEqual(server.pid, server.logged("server.started")[0]["pid"])

    def test_a_killed_process_is_replaced_and_nothing_that_was_accepted_is_lost(self) -> None:
        server = self.ready(2)
        posters = [Poster(server.url) for _ in range(6)]
        for poster in posters:
            poster.start()
        for round_number in range(1, 4):
            so_far = sum(len(poster.accepted) for poster in posters)
            wait_until(lambda far=so_far: sum(len(p.accepted) for p in posters) > far + 100, "100 more")  # type: ignore[misc]
            os.kill(self.children(server)[0], signal.SIGKILL)
            server.wait_for("process.started", 2 + round_number)
        wait_until(lambda: len(self.children(server)) == 2, "two at work")
        for poster in posters:
            poster.stop()

        accepted = [job_id for poster in posters for job_id in poster.accepted]
        self.assertEqual(len(accepted), len(set(accepted)))
        assert_sound(self.redis.client, accepted=accepted)
        self.assertEqual(0, server.stop())

    def test_a_process_that_hangs_is_killed_and_replaced_and_the_other_serves_on(self) -> None:
        server = self.ready(2)
        # The one of place 0 looks into Redis before it is ready, the other one from then on: of two links one is its.
        other, hung = (
            line["child"] for line in sorted(server.logged("process.started"), key=lambda line: line["place"])
        )
        wait_until(lambda: self.links() == 2, "the one of place 1 is ready")

        os.kill(hung, signal.SIGSTOP)
        (line,) = server.wait_for("process.killed")
        server.wait_for("process.started", 3)
        wait_until(lambda: len(self.children(server)) == 2, "two at work")

        self.assertEqual(hung, line["child"])
        self.assertIn(other, self.children(server))
        self.assertEqual(200, server.request("GET", "/readyz")[0])
        self.assertEqual(0, server.stop())

    def test_signals_to_the_whole_tree_and_twice_are_one_stop(self) -> None:
        for numbers in ((signal.SIGINT,), (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)):
            server = self.ready(2)
            children = self.children(server)

            for number in numbers:
                for pid in (server.pid, *children):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)

            self.assertEqual(0, server.wait(), server.said())
            self.assertEqual([], [pid for pid in children if is_alive(pid)])
            self.assertEqual([], server.logged("process.died"))
            self.assertNotIn("Traceback", server.said())
            self.assertEqual(1, len(server.logged("server.stopped")))

    def test_a_request_in_flight_is_finished_and_new_ones_are_refused(self) -> None:
        server = self.ready(2)
        parts = urlsplit(server.url)
        waiting = socket.create_connection((parts.hostname, parts.port), timeout=LIMIT_S)
        self.addCleanup(waiting.close)
        head = b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        waiting.sendall(head + b"Content-Length: %d\r\n\r\n" % len(BODY))
        server.until(lambda: any(line["method"] == "POST" for line in server.logged("request.started")), "begun")

        server.signal(signal.SIGTERM)
        server.wait_for("server.draining")
        server.until(lambda: self.is_refused(parts.hostname or "", parts.port or 0), "new connections are refused")
        waiting.sendall(BODY)

        answer = waiting.recv(65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 202"), answer)
        self.assertIn(b"Connection: close", answer)
        self.assertEqual(0, server.wait())

    @staticmethod
    def is_refused(host: str, port: int) -> bool:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            return True
        return False

    def test_a_parent_that_is_gone_takes_its_children_along(self) -> None:
        server = self.ready(2)
        children = self.children(server)

        server.kill()

        wait_until(lambda: not [pid for pid in children if is_alive(pid)], "the children have left")
        self.assertEqual(2, len(server.logged("parent.lost")))

    def test_settings_that_no_child_can_use_end_it_all(self) -> None:
        server = self.server(2, JOB_MODULES="no.such.module")

        self.assertEqual(78, server.wait())
        self.assertIn("JOB_MODULES: no.such.module can't be imported", server.said())


if __name__ == "__main__":
    unittest.main()
