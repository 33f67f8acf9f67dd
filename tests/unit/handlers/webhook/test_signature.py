"""The signature of Standard Webhooks: a vector of the specification's own libraries, several secrets, and bad ones."""

import base64
import hashlib
import hmac
import unittest

from lib.handlers.webhook.signature import MOST_SECRETS, read_secrets, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(64))).decode()


class Signature(unittest.TestCase):
    def test_it_is_that_of_the_libraries_of_others(self) -> None:
        """The vector stands in the tests of the libraries of Standard Webhooks."""
        found = signature(read_secrets(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

        self.assertEqual("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", found)

    def test_each_secret_makes_one(self) -> None:
        found = signature(read_secrets(f" {SECRET}  {OTHER}\n"), "a-1", 5, b"\xff")

        digests = [hmac.new(key, b"a-1.5.\xff", hashlib.sha256).digest() for key in read_secrets(f"{SECRET} {OTHER}")]
        self.assertEqual(" ".join("v1," + base64.b64encode(digest).decode() for digest in digests), found)

    def test_no_text_has_no_secret(self) -> None:
        self.assertEqual(((), ()), (read_secrets(""), read_secrets("  ")))

    def test_a_bad_secret_is_refused_in_words_that_do_not_hold_it(self) -> None:
        for text, words in (
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "does not begin with whsec_"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "is not base64"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS?", "is not base64"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSü", "is not base64"),
            ("whsec_" + base64.b64encode(bytes(23)).decode(), "it has 23 bytes"),
            ("whsec_" + base64.b64encode(bytes(65)).decode(), "it has 65 bytes"),
            (" ".join([SECRET] * (MOST_SECRETS + 1)), "holds 6 secrets, at most 5"),
        ):
            with self.assertRaises(ValueError, msg=text) as refused:
                read_secrets(text)

            self.assertIn(words, str(refused.exception))
            self.assertNotIn(text[6:20], str(refused.exception))


if __name__ == "__main__":
    unittest.main()
