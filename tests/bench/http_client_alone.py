"""What http.client reaches with nothing around it: threads that each keep one connection and post one body over it.

    python -m tests.bench.http_client_alone PORT THREADS REQUESTS

The same bytes each time, made once, without a signature: no queue, no log, no record of what was answered. It ends when
all answers are read.
"""

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

BODY = {"event": "order.paid", "text": "x" * 168}
"""200 bytes of JSON."""
CONTENT = json.dumps(BODY, separators=(",", ":")).encode()
FIELDS = {"Content-Type": "application/json"}


@contextmanager
def http_client_alone(port: int, threads: int, requests: int) -> Iterator[int]:
    """The id of its process."""
    command = [sys.executable, "-m", "tests.bench.http_client_alone", *map(str, (port, threads, requests))]
    process = subprocess.Popen(command)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def _post(port: int, requests: int) -> None:
    link = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(requests):
        link.request("POST", "/hook", CONTENT, FIELDS)
        answer = link.getresponse()
        answer.read()
        if answer.status != 200:
            raise ValueError(f"the receiver answered {answer.status}")


if __name__ == "__main__":
    port, threads, requests = map(int, sys.argv[1:4])
    workers = [threading.Thread(target=_post, args=(port, requests // threads)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
