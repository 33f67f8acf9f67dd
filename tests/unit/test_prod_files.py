"""The files of prod/ and the Makefile: the numbers in them against the settings, and each against its own checker.

A checker that this machine does not have is skipped with its name; no checker starts a service.
"""

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.settings import config, settings_table
from lib.work.supervisor.supervisor import RUNNER_EXIT_S

ROOT = Path(__file__).resolve().parents[2]
PROD = ROOT / "prod"
UNITS = ("waybill-server.service", "waybill-worker.service", "waybill.target")
LONGEST_WAIT_S = 60


def text_of(name: str) -> str:
    return (PROD / name).read_text(encoding="utf-8")


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise AssertionError(f"{pattern} is not there")
    return int(found[1].replace("_", ""))


def default(name: str) -> str:
    return next(setting.default for setting in settings_table.SETTINGS if setting.name == name)


def tool(name: str) -> str:
    # Debian keeps servers' programs in sbin, which is not on everybody's PATH.
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
    if not path:
        raise unittest.SkipTest(f"{name} is not installed here")
    return path


def checked(*words: str | Path, cwd: Path = ROOT) -> str:
    """Runs a checker. Returns what it said; an AssertionError where it is not content."""
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise AssertionError(f"{words[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Checkers(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="waybill-prod-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def copy(self, name: str, changes: dict[str, str]) -> Path:
        text = text_of(name)
        for old, new in changes.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = self.folder / Path(name).name
        path.write_text(text, encoding="utf-8")
        return path


def longest_stop_s() -> float:
    """After so long a supervisor has killed what did not leave."""
    return float(default("SHUTDOWN_GRACE_S")) + float(default("UNWIND_S")) + RUNNER_EXIT_S


class Systemd(Checkers):
    def test_the_stop_outlasts_the_grace_and_wrong_settings_are_not_tried_again(self) -> None:
        for unit in UNITS[:2]:
            text = text_of(f"systemd/{unit}")

            self.assertGreater(number(r"^TimeoutStopSec=(\d+)$", text), longest_stop_s())
            self.assertEqual(config.EXIT_CONFIG, number(r"^RestartPreventExitStatus=(\d+)$", text))
            self.assertIn("\nKillMode=mixed\n", text)
            self.assertGreater(number(r"^LimitNOFILE=(\d+)$", text), 2 * int(default("MAX_CONNECTIONS")))

    def test_server_and_worker_differ_in_name_and_words_alone(self) -> None:
        server, worker = (text_of(f"systemd/{unit}").split("\n") for unit in UNITS[:2])
        reload = server.index("ExecReload=/bin/kill -HUP $MAINPID")
        del server[reload - 1 : reload + 1]  # And the line that says why: to a worker it would be a stop.

        differing = {a.partition("=")[0] for a, b in zip(server, worker, strict=True) if a != b}

        self.assertEqual({"Description", "ExecStart"}, differing)

    def test_systemd_accepts_the_units(self) -> None:
        analyze = tool("systemd-analyze")
        # The project is not in /opt on this machine, and systemd looks whether the program is there.
        for unit in UNITS[:2]:
            self.copy(f"systemd/{unit}", {"/opt/waybill/.venv/bin/python": shutil.which("true") or "/bin/true"})
        self.copy(f"systemd/{UNITS[2]}", {})

        said = checked(analyze, "verify", *(f"./{unit}" for unit in UNITS), cwd=self.folder)

        self.assertNotIn("waybill", said)


class Pm2(Checkers):
    def test_pm2_waits_longer_than_the_grace_and_leaves_wrong_settings_alone(self) -> None:
        text = text_of("ecosystem.config.js")

        kill_timeout_ms = number(r"KILL_TIMEOUT_MS = ([\d_]+);", text)

        self.assertGreater(kill_timeout_ms, 1000 * longest_stop_s())
        self.assertEqual(config.EXIT_CONFIG, number(r"stop_exit_codes: \[(\d+)\]", text))

    def test_node_reads_it_and_every_path_in_it_is_this_projects(self) -> None:
        # The scripts are named without their folder: PM2 fails at a whole path with a space in it.
        code = "for (const app of require(process.argv[1]).apps) console.log(app.name, app.script, app.cwd)"

        said = checked(tool("node"), "-e", code, PROD / "ecosystem.config.js", cwd=self.folder)

        self.assertEqual(
            [f"waybill-{name} {name}.py {ROOT}" for name in ("server", "worker")], said.strip().split("\n")
        )


class Nginx(Checkers):
    def test_nginx_outwaits_the_longest_answer_and_lets_go_of_idle_connections_first(self) -> None:
        text = text_of("nginx.conf")

        self.assertGreater(number(r"^ {4}proxy_read_timeout (\d+)s;", text), LONGEST_WAIT_S)
        self.assertLess(number(r"^ {4}keepalive_timeout (\d+)s;", text), int(default("KEEP_ALIVE_S")))
        self.assertLess(number(r"^ {4}keepalive_requests (\d+);", text), 1000)
        self.assertIn(f"server 127.0.0.1:{default('PORT')};", text)

    def test_no_line_of_its_log_holds_the_key_of_a_callback(self) -> None:
        text = text_of("nginx.conf")
        found = re.search(r'"~\*(\S+ \S+)" +"\$waybill_callback\.\.\.";', text)
        assert found is not None
        masks = re.compile(found[1].replace("(?<", "(?P<"), re.IGNORECASE)

        for path in ("/api/callbacks/KEY", "/base/api/callbacks/KEY/extend", "//api/Callbacks/KEY/callbacks/"):
            match = masks.search(f"POST {path} HTTP/1.1")
            assert match is not None, path
            self.assertNotIn("KEY", match["waybill_callback"])
        self.assertIsNone(masks.search("GET /api/jobs?tag=callbacks HTTP/1.1"))
        self.assertEqual(text.count("\nserver {"), text.count("waybill.log waybill;"))

    def test_nginx_accepts_it(self) -> None:
        nginx, openssl = tool("nginx"), tool("openssl")
        words = "req -x509 -newkey rsa:2048 -nodes -subj /CN=waybill.example.com -keyout privkey.pem -out fullchain.pem"
        checked(openssl, *words.split(), cwd=self.folder)
        site = self.copy(
            "nginx.conf",
            {"/etc/ssl/waybill/fullchain.pem": f"{self.folder}/fullchain.pem"}
            | {"/etc/ssl/waybill/privkey.pem": f"{self.folder}/privkey.pem"}
            # The check binds what it finds: ports below 1024 may be forbidden, and IPv6 absent.
            | {"listen 80;": f"listen unix:{self.folder}/http;", "listen [::]:80;": ""}
            | {"/var/log/nginx/": f"{self.folder}/"}
            | {"listen 443 ssl;": f"listen unix:{self.folder}/https ssl;", "listen [::]:443 ssl;": ""},
        )
        site.rename(self.folder / "site.conf")
        main = self.folder / "main.conf"
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        main.write_text(
            f"pid {self.folder}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; {temporary} include {self.folder}/site.conf; }}\n"
        )

        said = checked(nginx, "-t", "-q", "-e", "stderr", "-p", self.folder, "-c", main)

        self.assertNotIn("[warn]", said.replace('the "user" directive makes sense only', ""))


class Logrotate(Checkers):
    def test_no_line_is_truncated_away(self) -> None:
        orders = [line for line in text_of("logrotate.conf").split("\n") if not line.lstrip().startswith("#")]

        self.assertFalse([line for line in orders if "copytruncate" in line])
        self.assertTrue([line for line in orders if line.strip() == "delaycompress"])

    def test_logrotate_accepts_it(self) -> None:
        logrotate = tool("logrotate")
        logs = self.folder / "logs"
        logs.mkdir(mode=0o755)
        for name in ("app.log", "worker.log"):
            (logs / name).write_text("{}\n")
        path = self.copy("logrotate.conf", {"/var/log/waybill": str(logs), "    su waybill waybill\n": ""})
        path.chmod(0o644)

        said = checked(logrotate, "-d", "-f", "-s", self.folder / "state", path)

        self.assertNotIn("error:", said)
        self.assertIn("renaming", said)


class Redis(Checkers):
    def test_jobs_are_written_down_and_never_evicted(self) -> None:
        orders = text_of("redis.conf").split("\n")

        for order in ("appendonly yes", "appendfsync everysec", "maxmemory-policy noeviction", "user default off"):
            self.assertIn(order, orders)

    def setUp(self) -> None:
        super().setUp()
        (user,) = re.findall(r"^user waybill (.*)$", text_of("redis.conf"), re.MULTILINE)
        self.rules = user.split()

    def test_its_user_may_run_every_command_of_the_scripts(self) -> None:
        called = set[str]()
        for script in (ROOT / "lib" / "queue" / "lua").rglob("*.lua"):
            called.update(re.findall(r"redis\.p?call\(\s*['\"](\w+)['\"]", script.read_text(encoding="utf-8")))

        self.assertTrue(called)
        self.assertEqual(set(), {f"+{command.lower()}" for command in called} - set(self.rules))

    def test_its_user_may_reach_waybills_keys_alone(self) -> None:
        rules = self.rules

        self.assertEqual([f"~{default('KEY_PREFIX')}:*"], [rule for rule in rules if rule.startswith("~")])
        self.assertLess(rules.index("-@all"), min(i for i, rule in enumerate(rules) if rule.startswith("+")))
        self.assertFalse([rule for rule in rules if rule.startswith(("+@", "allkeys", "allcommands"))])


class Prometheus(Checkers):
    def test_promtool_accepts_the_snippet_and_the_rules(self) -> None:
        said = checked(tool("promtool"), "check", "config", PROD / "prometheus" / "prometheus.yml")

        self.assertIn("16 rules found", said)


class Make(Checkers):
    def test_make_alone_lists_every_target(self) -> None:
        text = (ROOT / "Makefile").read_text(encoding="utf-8")
        (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)

        said = checked(tool("make"), "-C", ROOT)

        listed = re.findall(r"^  make (\S+) +\S", said, re.MULTILINE)
        self.assertEqual(phony.split(), listed)

    def test_the_gate_fetches_a_browser_runs_the_tests_and_then_the_linters(self) -> None:
        text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

        self.assertIn("set -eu", text)
        self.assertIn("for target in browser test lint;", text)
        checked(tool("bash"), "-n", ROOT / ".ci" / "run")


if __name__ == "__main__":
    unittest.main()
