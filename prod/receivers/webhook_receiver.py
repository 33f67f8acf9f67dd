"""A receiver of Waybill's webhooks: checks the signature, takes each webhook once, and answers 200.

WEBHOOK_SECRET=whsec_… python webhook_receiver.py 9000
"""

import base64
import hashlib
import hmac
import http.server
import os
import sys
import time

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
TOLERANCE_S = 300
seen: set[str] = set()  # In a service of yours: a unique column, written in one transaction with what the webhook does.


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        webhook_id, timestamp = self.headers["webhook-id"] or "", self.headers["webhook-timestamp"] or ""
        signed = f"{webhook_id}.{timestamp}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
        given = (self.headers["webhook-signature"] or "").encode().split()
        is_genuine = any(hmac.compare_digest(one, expected.encode()) for one in given)
        is_fresh = timestamp.isdigit() and abs(time.time() - int(timestamp)) < TOLERANCE_S
        if is_genuine and is_fresh and webhook_id not in seen:
            print(f"{webhook_id} {body.decode()}", flush=True)  # Here goes what the webhook is for.
            seen.add(webhook_id)
        self.send_response(200 if is_genuine and is_fresh else 401)
        self.send_header("content-length", "0")
        self.end_headers()


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print(f"Listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
