"""The files of the dashboard from a running server: without a key, kept by ETag, and nothing else by these paths."""

import re
import unittest
from typing import ClassVar

from lib.api.dashboard import travelling
from tests.private_redis import PrivateRedis
from tests.processes import ROOT, Server

FOLDER = ROOT / "lib" / "dashboard"
NOT_FILES = (
    "/dashboard/index.html",
    "/dashboard/__init__.py",
    "/dashboard/overview.js",
    "/dashboard/pages/app.js",
    "/dashboard/pages",
    "/dashboard/..%2f..%2fserver.py",
    "/dashboard/pages/../app.js",
    "/dashboard/",
    "/favicon.ico",
    "/index.html",
)


class Served(unittest.TestCase):
    server: ClassVar[Server]

    @classmethod
    def setUpClass(cls) -> None:
        redis = cls.enterClassContext(PrivateRedis())
        entry = "ops:admin:0123456789ab:" + "0" * 64
        cls.server = cls.enterClassContext(Server(redis.url, API_KEYS=entry))

    def test_each_file_is_there_without_a_key_with_its_policy(self) -> None:
        files = [path for path in FOLDER.rglob("*") if path.suffix in (".js", ".css")]
        paths = {"/": FOLDER / "index.html", "/favicon.svg": FOLDER / "favicon.svg"}
        paths |= {f"/dashboard/{path.relative_to(FOLDER).as_posix()}": path for path in files}
        for path, file in paths.items():
            with self.subTest(path):
                status, body, fields = self.server.request("GET", path)

                sent = travelling(file.read_bytes())
                self.assertEqual((200, sent), (status, body))
                self.assertEqual("no-cache", fields["cache-control"])
                self.assertIn("require-trusted-types-for 'script'", fields["content-security-policy"])
                self.assertEqual("DENY", fields["x-frame-options"])
                again = self.server.request("GET", path, if_none_match=fields["etag"])
                self.assertEqual((304, b""), again[:2])

    def test_all_that_the_page_names_is_there(self) -> None:
        page = self.server.request("GET", "/")[1].decode()
        named = re.findall(r'(?:href|src)="([^"#][^"]*)"', page)

        self.assertIn("dashboard/app.js", named)
        for name in named:
            self.assertEqual(200, self.server.request("GET", f"/{name}")[0], name)

    def test_gzip_is_sent_to_who_takes_it(self) -> None:
        plain = self.server.request("GET", "/dashboard/style.css")
        packed = self.server.request("GET", "/dashboard/style.css", accept_encoding="gzip")

        self.assertEqual("gzip", packed[2]["content-encoding"])
        self.assertLess(len(packed[1]), len(plain[1]) / 2)
        self.assertEqual("Accept-Encoding", plain[2]["vary"])

    def test_nothing_else_comes_by_these_paths(self) -> None:
        for path in NOT_FILES:
            status, body, _ = self.server.request("GET", path)

            self.assertEqual((404, "/problems/not-found"), (status, body["type"]), path)


class Off(unittest.TestCase):
    def test_dashboard_0_serves_none_of_it(self) -> None:
        with PrivateRedis() as redis, Server(redis.url, DASHBOARD=0) as server:
            for path in ("/", "/favicon.svg", "/dashboard/app.js", "/dashboard/pages/overview.js"):
                status, body, _ = server.request("GET", path)

                self.assertEqual((404, f"there is nothing at {path}"), (status, body["detail"].partition(";")[0]))


if __name__ == "__main__":
    unittest.main()
