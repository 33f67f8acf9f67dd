"""Settings: where they come from, what they may be, and that every fault is reported at once and without a password."""

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from lib.errors import ConfigError
from lib.settings.config import Settings, load
from lib.settings.kinds import without_password
from lib.settings.settings_table import SETTINGS


class Config(unittest.TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def load(self, **environ: str) -> Settings:
        return load(environ, self.root)

    def faults(self, **environ: str) -> tuple[str, ...]:
        try:
            self.load(**environ)
        except ConfigError as fault:
            return fault.faults
        return ()

    def test_every_default_is_valid(self) -> None:
        settings = self.load()

        self.assertEqual(
            ("127.0.0.1", 8000, {"email": 20, "default": 20, "webhook": 20}),
            (settings.host, settings.port, settings.worker_queues),
        )
        self.assertEqual((self.root / "logs", ()), (settings.log_dir, settings.env_files))

    def test_the_environment_outweighs_env_local_and_that_env(self) -> None:
        (self.root / ".env").write_text("PORT=1\nLEASE_S=11\nCRASH_LIMIT=2\n")
        (self.root / ".env.local").write_text("PORT=2\nLEASE_S=12\n")

        settings = self.load(PORT="3")

        self.assertEqual((3, 12, 2), (settings.port, settings.lease_s, settings.crash_limit))
        self.assertEqual((".env.local", ".env"), settings.env_files)

    def test_an_empty_value_is_the_default_and_hides_the_files(self) -> None:
        (self.root / ".env").write_text("PORT=1\n")

        self.assertEqual(8000, self.load(PORT=" ").port)

    def test_an_empty_folder_of_logs_is_none(self) -> None:
        (self.root / ".env").write_text("LOG_DIR=elsewhere\n")

        self.assertIsNone(self.load(LOG_DIR="").log_dir)
        self.assertEqual(self.root / "elsewhere", self.load().log_dir)

    def test_where_a_worker_would_listen_is_nobodys_concern(self) -> None:
        environ = {"HOST": "0.0.0.0"}

        self.assertEqual("0.0.0.0", load(environ, self.root, listens=False).host)
        with self.assertRaises(ConfigError):
            load(environ, self.root)

    def test_env_files_are_read_as_shells_and_docker_read_them(self) -> None:
        (self.root / ".env").write_text(
            "# a comment\n\n  export PORT = 1 # so\nMAIL_FROM='A # b <a@b.example>'\nKEY_PREFIX=\"x\"\nLOG_LEVEL=#\n"
        )

        settings = self.load()

        self.assertEqual(
            (1, "A # b <a@b.example>", "x", "INFO"),
            (settings.port, settings.mail_from, settings.key_prefix, settings.log_level),
        )

    def test_a_line_that_is_no_setting_is_a_fault_with_its_number(self) -> None:
        (self.root / ".env").write_text("PORT=1\nnonsense\n")

        self.assertEqual((".env line 2 is not NAME=value",), self.faults())

    def test_a_name_that_is_all_but_a_setting_is_doubted_and_any_other_is_somebody_elses(self) -> None:
        (self.root / ".env").write_text("WORKER_QUEUE=email=5\nREDIS_URI=x\nPGHOST=db\nPORT=1\n")

        doubts = self.load().env_doubts

        self.assertEqual(2, len(doubts))
        self.assertEqual("WORKER_QUEUE in .env is not a setting; WORKER_QUEUES is", doubts[0])
        self.assertIn("REDIS_URL", doubts[1])

    def test_a_file_that_is_no_text_is_a_fault(self) -> None:
        (self.root / ".env").write_bytes(b"\xff\xfe")

        self.assertIn(".env can't be read", self.faults()[0])

    def test_every_fault_is_reported_at_once(self) -> None:
        found = self.faults(PORT="eighty", LEASE_S="1", WORKER_QUEUES="a", LOG_LEVEL="loud", REDIS_URL="http://x")

        self.assertEqual(
            ["REDIS_URL", "LOG_LEVEL", "WORKER_QUEUES", "LEASE_S"], [f.split(":")[0] for f in found if "PORT" not in f]
        )
        self.assertEqual(5, len(found))

    def test_each_setting_refuses_what_it_can_not_be(self) -> None:
        wrong = {
            "HOST": ["0.0.0.0", "::", "example.com", "10.0.0.1", "1.2.3", "localhost:80"],
            "API_KEYS": ["x", "a:read:b:c", f"a:root:{'i' * 12}:{'0' * 64}", f"a b:read:{'i' * 12}:{'0' * 64}"],
            "PORT": ["-1", "65536", "8e3", "0x50", "٣", "1 2"],
            "ALLOWED_HOSTS": ["a b", "http://x", "a:80"],
            "REDIS_URL": [
                *("redis://", "x", "unix://", "redis+sentinel://h", "[", "redis://[::1", "redis://u:p@"),
                *("redis://h:port", "redis://h:70000", "redis://:se/cret@h:1/0", "redis://h:1/abc", "redis://h:1/-1"),
                *("redis+cluster://a,b:x", "redis+cluster://a/1", "redis+sentinel://h:x/m", "redis+sentinel://h/m/x"),
                *("redis://h?foo=1", "redis://h?db=x", "redis://h?socket_timeout=1", "redis://h?protocol=3"),
                *("redis+cluster://h?db=0", "rediss://h?ssl_cert_reqs=maybe", "redis://h/0#x", "redis://u:a#b@h"),
            ],
            "RATE_LIMIT": ["600", "0/60", "600/0", "600/86401", "1/1/1", "a/b", "/", "1.5/1", "-1/1"],
            "KEY_PREFIX": ["a b", "a:b", "{x}", "x" * 33],
            "LOG_DIR": ["a\0b"],
            "LOG_FORMAT": ["xml"],
            "LOG_MAX_BYTES": ["1", "-1", "x"],
            "JOB_MODULES": ["a/b", "a-b", ".a", "a..b"],
            "DEFAULT_MAX_ATTEMPTS": ["0", "1001", "1.5"],
            "DEFAULT_TIMEOUT_S": ["0", "604801", "x"],
            "DEFAULT_BACKOFF_BASE_S": ["0", "3601", "x"],
            "DEFAULT_BACKOFF_CAP_S": ["0", "1.9", "x"],
            "DEFAULT_GIVE_UP_AFTER_S": ["0", "-1", "never"],
            "WORKER_QUEUES": ["a=0", "a=1,a=2", "A=1", "=1", "a=", "a=x", ",", "a=10001"],
            "WORKER_PROCESSES": ["0", "257"],
            "LEASE_S": ["1.9", "3601", "nan", "inf", "1e2", "-5"],
            "CRASH_LIMIT": ["1", "101"],
            "ISOLATION_RUNNERS": ["0", "65"],
            "RUNNER_MAX_JOBS": ["-1", "1000000001", "1e3"],
            "RUNNER_MAX_MB": ["-1", "1000001", "512M"],
            "SHUTDOWN_GRACE_S": ["-1", "86401"],
            "UNWIND_S": ["0.9", "61"],
            "ERROR_TRACEBACKS": ["1", "false", "Off"],
            "RETAIN_COMPLETED": ["-1", "1.5"],
            "RETAIN_COMPLETED_S": ["x"],
            "RETAIN_DEAD": ["-1", "many"],
            "RETAIN_DEAD_S": ["x"],
            "SMTP_URL": [
                *("http://x", "smtp://", "smtp://h:99999", "smtp://h?tls=1", "smtp://u:12/ss@h", "h", "h:25", "smtp:h"),
                *("submission://h", "smtp+ssl://h", "smtps://", "smtp://:25", "smtp://u:p@:25", "smtp://h:0"),
                *("smtp://h:x", "smtp://h/587", "smtp://h,i:25", "smtp://h i:25", "smtp://h?starttls=true"),
                *("smtp://h:587", "smtp://u:p@h:587", "smtps://h:587", "smtps://h:25", "smtps://u:p@h:587?starttls=1"),
                *("smtp://h:465", "smtp://u:p@h:465?starttls=1", "smtp://[2001:db8::1]:587", "smtp://10.0.0.1:465"),
            ],
            "MAIL_FROM": ["nobody", "a@b\r\nBcc: x@y"],
            "SMTP_TOKEN_COMMAND": ["'unclosed", 'x "'],
            "SMTP_TOKEN_FILE": ["a\0b"],
            "MAIL_FROM_ALLOWED": ["a b", "@", "<a@x.example>", "a@", "a@b@c"],
        }
        for name, values in wrong.items():
            for value in values:
                with self.subTest(name, value=value):
                    self.assertTrue(self.faults(**{name: value}))

    def test_every_setting_is_tried_here_or_has_no_wrong_value(self) -> None:
        known = {setting.name.lower() for setting in SETTINGS}

        self.assertEqual(known, set(Settings._fields) - {"env_files", "env_doubts"})

    def test_an_address_that_others_reach_takes_keys(self) -> None:
        entry = f"ops:admin:{'i' * 12}:{'0' * 64}"

        for host in ("0.0.0.0", "::", "10.0.0.1", "2001:db8::1"):
            (fault,) = self.faults(HOST=host)
            self.assertIn("--new-key", fault)
            self.assertEqual(host, self.load(HOST=host, API_KEYS=entry).host)
        for host in ("127.0.0.1", "127.8.9.10", "::1", "localhost"):
            self.assertEqual(host, self.load(HOST=host).host)
        # A list that can't be read is one fault, not two.
        self.assertEqual(["API_KEYS"], [fault.split(":")[0] for fault in self.faults(HOST="::", API_KEYS="x")])

    def test_a_token_stands_in_for_the_password_of_one_user_and_comes_from_one_place(self) -> None:
        url, command, file = "smtps://me%40x.example@h", "/usr/bin/token --for 'me you'", "run/token"

        settings = self.load(SMTP_URL=url, SMTP_TOKEN_COMMAND=command)
        self.assertEqual(("/usr/bin/token", "--for", "me you"), settings.smtp_token_command)
        self.assertNotIn("--for", repr(settings))
        self.assertEqual(self.root / file, self.load(SMTP_URL=url, SMTP_TOKEN_FILE=file).smtp_token_file)
        for environ, words in (
            ({"SMTP_TOKEN_COMMAND": command, "SMTP_TOKEN_FILE": file}, "not beside SMTP_TOKEN_COMMAND"),
            ({"SMTP_TOKEN_FILE": file, "SMTP_URL": "smtps://me:tops3cret@h"}, "not beside a password in SMTP_URL"),
            ({"SMTP_TOKEN_FILE": file, "SMTP_URL": "smtps://h"}, "SMTP_URL names no user"),
            ({"SMTP_TOKEN_COMMAND": command, "SMTP_URL": ""}, "SMTP_URL names no user"),
        ):
            with self.subTest(words):
                (fault,) = self.faults(**{"SMTP_URL": url, **environ})

                self.assertIn(words, fault)
                self.assertNotIn("tops3cret", fault)
                self.assertNotIn("--for", fault)

    def test_passwords_show_in_no_repr_and_no_fault(self) -> None:
        secret = "tops3cret"
        settings = self.load(REDIS_URL=f"redis://u:{secret}@h:1/0", SMTP_URL=f"smtp://u:{secret}@h:25")
        faults_shown = "\n".join(
            self.faults(REDIS_URL=f"http://u:{secret}@h", SMTP_URL=f"ftp://u:{secret}@h")
            + self.faults(REDIS_URL=f"redis://u:{secret}@[h", SMTP_URL=f"smtp://u:{secret}@h:x")
        )

        self.assertNotIn(secret, repr(settings))
        self.assertNotIn(secret, faults_shown)
        faults_shown = "\n".join(
            fault
            for mark in "/?#@"
            for url in (
                f"redis://u:12{mark}{secret}@h:1/0",
                f"smtp://u:12{mark}{secret}@h",
                f"x://u:12{mark}{secret}@h",
            )
            for fault in self.faults(**{"SMTP_URL" if url[0] == "s" else "REDIS_URL": url})
        )
        self.assertNotIn(secret, faults_shown)
        for url in (f"redis://u:12/{secret}@h", f"redis://u:12?{secret}@h", f"//u:12#{secret}@h", f"u:{secret}@h"):
            self.assertNotIn(secret, without_password(url))
        for url in (f"unix:///s?password={secret}@{secret}",):
            self.assertEqual("unix:///s", without_password(url))
        for url in (f"redis://u:{secret}@h:1/0?x=1", f"unix:///s?password={secret}&db=1", f"rediss://:{secret}@h"):
            self.assertNotIn(secret, without_password(url))

    def test_a_port_that_speaks_otherwise_is_reported_how_to_be_written(self) -> None:
        for url, advice in (
            ("smtp://u:p@mx.example:587", "smtp://…@mx.example:587?starttls=1"),
            ("smtps://u:p@mx.example:587", "smtp://…@mx.example:587?starttls=1"),
            ("smtp://mx.example:465?starttls=1", "smtps://…@mx.example:465"),
            ("ftp://mx.example", "smtps://user:password@host:465"),
        ):
            with self.subTest(url=url):
                (fault,) = self.faults(SMTP_URL=url)

                self.assertIn(advice, fault)

    def test_mail_servers_of_each_kind_are_taken(self) -> None:
        for url in (
            *("smtp://h", "smtp://h/", "smtp://h:2525", "smtp://h:587?starttls=1", "smtp://h:587?starttls=0"),
            *("smtps://h", "smtps://h:465", "smtps://h:2465", "smtp://[::1]:25", "smtp://smtp_relay:25"),
            *("smtp://localhost:587", "smtp://127.0.0.1:465", "smtps://[::1]:587", "smtp://bücher.example:25"),
        ):
            with self.subTest(url=url):
                self.assertEqual(url, self.load(SMTP_URL=url).smtp_url)

    def test_good_urls_of_each_kind_are_taken(self) -> None:
        for url in (
            "redis://h",
            "rediss://u:p@h:1/2",
            "unix:///run/redis.sock",
            "redis+sentinel://a:1,b:2/name",
            "redis+cluster://a,b:2",
            "redis://[::1]:6379/0",
            "redis://u:a%2Fb@h:1",
            "redis+sentinel://a/name/3",
            "redis+cluster://a/0",
            "unix:///run/redis.sock?db=5&password=p@ss",
            "rediss://h?ssl_ca_certs=/etc/ca.pem&ssl_cert_reqs=required&ssl_check_hostname=false",
        ):
            self.assertEqual(url, self.load(REDIS_URL=url).redis_url)


if __name__ == "__main__":
    unittest.main()
