"""What a caller writes into a payload is what the handler gets and what GET shows, to the last digit."""

import json
import unittest

from tests.private_redis import PrivateRedis
from tests.processes import Server, Worker

# As JSON writes them. Lua's cjson would change most of these; a double, the first five.
VALUES = """[9007199254740993, -9007199254740993, 18446744073709551617, 1234567890123456789012345678901234567890, -1,
 0.1, -0.0, 1e-07, 1.7976931348623157e+308, 5e-324, 100.0, [], {}, [[]], "", "/", "\\u0000\\u001f\\u007f",
 "\\ud83d\\ude00", "\\\\", null, true, false, {"": {"a/b~c": [1]}}]"""


class Values(unittest.TestCase):
    def test_values_come_back_as_they_went_in(self) -> None:
        redis = self.enterContext(PrivateRedis())
        modules = {"JOB_MODULES": "tests.jobs_for_tests"}
        server = self.enterContext(Server(redis.url, **modules))
        worker = self.enterContext(Worker(redis.url, **modules))
        worker.wait_until_ready()
        body = f'{{"type": "echo", "payload": {{"values": {VALUES}, "long": {"7" * 1000}}}}}'

        status, taken, _ = server.request("POST", "/api/jobs", body.encode())
        done = server.request("GET", f"/api/jobs/{taken['id']}?wait=20")[1]

        self.assertEqual((202, "completed"), (status, done["state"]))
        # As texts: to Python 100 and 100.0, and 0.0 and -0.0, are the same.
        sent = json.dumps(json.loads(body)["payload"])
        for shown in (taken["payload"], done["payload"], done["result"]):
            self.assertEqual(sent, json.dumps(shown))


if __name__ == "__main__":
    unittest.main()
