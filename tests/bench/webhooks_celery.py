"""Celery with requests for webhooks_peers.py; its Python has celery[redis] and requests, and needs nothing else of this
folder.

celery -A tests.bench.webhooks_celery worker                sends webhooks, signed, over a link for each thread
python -m tests.bench.webhooks_celery WEBHOOKS URL BODY     queues as many tasks

WHY acks_late: without it a task that is running when its worker is killed is lost; the others run it again.
"""

import base64
import hashlib
import hmac
import importlib
import json
import os
import sys
import threading
import time
from typing import Any

# WHY not `import celery`: neither is there where the code is checked.
celery: Any = importlib.import_module("celery")
requests: Any = importlib.import_module("requests")
WHERE = f"redis+socket://{os.environ['REDIS_SOCKET']}"
KEY = base64.b64decode(os.environ.get("SECRET", "").removeprefix("whsec_"))
app = celery.Celery("bench", broker=WHERE, backend=WHERE)
app.conf.update(task_acks_late=True, task_reject_on_worker_lost=True, broker_connection_retry_on_startup=True)
_threads = threading.local()


def _session() -> Any:
    """One for each thread: a Session is not made to be shared."""
    if not hasattr(_threads, "session"):
        _threads.session = requests.Session()
    return _threads.session


def _send(task: Any, url: str, body: dict[str, Any]) -> dict[str, Any]:
    content, at = json.dumps(body, separators=(",", ":")).encode(), str(int(time.time()))
    digest = hmac.digest(KEY, f"{task.request.id}.{at}.".encode() + content, hashlib.sha256)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": task.request.id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
    answer = _session().post(url, data=content, headers=headers, timeout=30, allow_redirects=False)
    answer.raise_for_status()
    return {"status": answer.status_code, "body": answer.text}


send = app.task(name="send", bind=True)(_send)


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        send.delay(sys.argv[2], json.loads(sys.argv[3]))
