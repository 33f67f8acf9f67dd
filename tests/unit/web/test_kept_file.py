"""A kept file: gzipped for who takes that, 304 for who has it, and the policy of an application beside."""

import gzip
import unittest

from lib.http1.message import Response
from lib.web.compression import LEAST_BYTES, compressed
from lib.web.kept_file import APP_FIELDS, AppFile, KeptFile
from tests.unit.manual.test_manual import request

CONTENT = b"export const a = 1;\n" * LEAST_BYTES


class Kept(unittest.IsolatedAsyncioTestCase):
    def answered(self, **headers: str) -> tuple[Response, dict[str, str]]:
        answer = KeptFile(CONTENT, "text/javascript").answer(request(**headers))
        return answer, dict(answer.headers)

    async def test_who_takes_gzip_gets_it_gzipped_once(self) -> None:
        answer, fields = self.answered(accept_encoding="gzip, br")
        sent = await compressed(request(accept_encoding="gzip"), answer)

        self.assertEqual(CONTENT, gzip.decompress(sent.body))
        self.assertEqual(("gzip", "Accept-Encoding"), (fields["Content-Encoding"], fields["Vary"]))
        self.assertEqual(1, sum(name == "Content-Encoding" for name, _ in sent.headers))

    async def test_who_does_not_gets_it_plain(self) -> None:
        answer, fields = self.answered()

        self.assertEqual(CONTENT, answer.body)
        self.assertNotIn("Content-Encoding", fields)
        self.assertEqual("Accept-Encoding", fields["Vary"])

    async def test_who_has_it_gets_nothing_anew(self) -> None:
        _, fields = self.answered(accept_encoding="gzip")
        again, fields_again = self.answered(if_none_match=fields["ETag"], accept_encoding="gzip")

        self.assertEqual((304, b"", fields["ETag"]), (again.status, again.body, fields_again["ETag"]))
        self.assertNotEqual(fields["ETag"], dict(KeptFile(b"other", "text/css").answer(request()).headers)["ETag"])

    async def test_the_policy_lets_own_scripts_run_and_nothing_else(self) -> None:
        answer, _ = self.answered()
        assert isinstance(answer, AppFile)
        self.assertIs(APP_FIELDS, answer.fields)

        policy = APP_FIELDS.text
        for one in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "trusted-types 'none'"):
            self.assertIn(one, policy)
        self.assertNotIn("unsafe", policy)


if __name__ == "__main__":
    unittest.main()
