"""The dashboard behind nginx and below a prefix, as the notes have it: one location, and no setting of Waybill's."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

from prod.local.processes import free_port
from tests.browser.case import BrowserCase
from tests.waiting import wait_until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
SITE = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error; events {{}}
http {{
  access_log {folder}/access; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream waybill {{ server {server}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
    location /waybill/ {{ proxy_pass http://waybill/; }}
  }}
}}
"""
FILES = "performance.getEntriesByType('resource').filter(one => one.name.includes('/waybill/dashboard/'))"
STREAM = "fetch('api/events?digest_s=1&for_s=0')"


@unittest.skipUnless(NGINX, "no nginx is installed here")
class BehindNginx(BrowserCase):
    url: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="wb-nginx-")))
        port = free_port()
        about = {"folder": folder, "server": cls.server.url.removeprefix("http://"), "port": port}
        (folder / "conf").write_text(SITE.format(**about), encoding="utf-8")
        command = [str(NGINX), "-e", f"{folder}/error", "-p", str(folder), "-c", f"{folder}/conf"]
        nginx = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(nginx.wait)
        cls.addClassCleanup(nginx.terminate)
        wait_until(lambda: (folder / "pid").exists(), "nginx runs")
        cls.url = f"http://127.0.0.1:{port}/waybill/"

    def test_all_works_below_a_prefix_and_is_live(self) -> None:
        job_id = self.post("noop", {}, delay_s=3600)
        tab = self.browser.tab()
        self.addCleanup(tab.close)
        tab.open(f"{self.url}#/jobs/{job_id}")
        tab.wait_for("#live", "Live")
        tab.wait_for(".verdict", "Begins in")
        self.assertTrue(tab.js(f"{FILES}.every(one => one.encodedBodySize < one.decodedBodySize / 1.5)"), "gzip")
        self.assertEqual("gzip", tab.js(f"{STREAM}.then(one => one.headers.get('content-encoding'))"))

        tab.click("[data-act=cancel]")
        tab.wait_for("dialog .curl", f"{self.url}api/jobs/{job_id}/cancel")
        tab.click("dialog .main")
        tab.wait_for(".verdict", "Cancelled.")
        tab.click(".places a[href='#/queues']")
        tab.wait_for(".queues", "default")
        tab.call("Page.reload")
        tab.wait_for(".queues", "default")
        sizes = tab.js(f"{FILES}.map(one => one.transferSize)")
        self.assertLess(max(sizes), 1000, "304, by ETag")

        self.assertEqual([], [url for url in tab.requested if not url.startswith(self.url)])
        self.assertEqual([], tab.complaints)


if __name__ == "__main__":
    unittest.main()
