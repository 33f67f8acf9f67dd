"""The payload of a webhook: what it becomes, and each fault with its pointer."""

import unittest
from typing import Any

from lib.handlers.webhook.webhook_payload import MAX_HEADER_CHARS, MAX_HEADERS, MAX_STATUSES, Webhook, host_of
from lib.jobs.masking import MASK, masked
from lib.jobs.payload import Invalid, decoder_for
from lib.jobs.payload_schema import payload_schema

URL = "https://api.example.com/hook?x=1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_decode = decoder_for(Webhook)


def webhook(**fields: Any) -> Webhook:
    decoded: Webhook = _decode({"url": URL, **fields}, "/payload")
    return decoded


def faults(**fields: Any) -> dict[str, str]:
    """The faults of a payload, by their pointers below /payload."""
    try:
        webhook(**fields)
    except Invalid as fault:
        return {pointer.removeprefix("/payload"): detail for pointer, detail in fault.errors}
    return {}


class Taken(unittest.TestCase):
    def test_the_least_is_a_post_without_a_body(self) -> None:
        made = webhook()

        self.assertEqual(("POST", b"", "", ()), (made.method, made.content, made.content_type, made.keys))
        self.assertEqual(("api.example.com", "/hook?x=1"), (made.target.host, made.target.target))

    def test_a_body_is_sent_as_compact_json_and_a_text_as_it_is(self) -> None:
        for fields, content, content_type in (
            ({"body": {"a": [1, None, "ü"]}}, '{"a":[1,null,"ü"]}'.encode(), "application/json"),
            ({"body": []}, b"[]", "application/json"),
            ({"body": False}, b"false", "application/json"),
            ({"body": ""}, b'""', "application/json"),
            ({"text": "a=1\n"}, b"a=1\n", "text/plain; charset=utf-8"),
            ({"text": ""}, b"", "text/plain; charset=utf-8"),
            ({"body": None, "text": None, "secret": None}, b"", ""),
            ({"body": {"a": 1}, "method": "DELETE"}, b'{"a":1}', "application/json"),
        ):
            made = webhook(**fields)

            self.assertEqual((content, content_type), (made.content, made.content_type), fields)

    def test_headers_that_are_the_callers_own(self) -> None:
        headers = {"Authorization": "Bearer a b", "Content-Type": "text/csv", "User-Agent": "shop", "X-Empty": ""}

        self.assertEqual(headers, webhook(headers=headers).headers)

    def test_its_group_is_host_and_port(self) -> None:
        long = f"{'a' * 60}.{'b' * 60}.{'c' * 60}.example"
        for url, group in (
            (URL, "api.example.com:443"),
            ("http://API.example.com:8080", "api.example.com:8080"),
            ("http://[2001:DB8::1]/", "2001:db8::1:80"),
            (f"https://{long}", f"{long}:443"[-128:]),
        ):
            self.assertEqual(group, host_of({"url": url}), url)

    def test_nothing_that_may_be_secret_is_in_its_repr_or_shown(self) -> None:
        payload = {"url": URL, "secret": SECRET, "headers": {"Authorization": "Bearer abc", "X-Api-Key": "k1"}}

        shown = "Webhook(method='POST', signed=False, give_up_on=[], completion='response', complete_within_s=None)"
        self.assertEqual(shown, repr(webhook(**payload)))
        masks = {"url": URL, "secret": MASK, "headers": {"Authorization": MASK, "X-Api-Key": MASK}}
        self.assertEqual(masks, masked(payload))

    def test_its_schema_says_what_it_takes(self) -> None:
        schema = payload_schema(Webhook)

        self.assertEqual(["url"], schema["required"])
        self.assertEqual(
            [
                *("url", "method", "headers", "body", "text", "secret", "signed"),
                *("give_up_on", "completion", "complete_within_s"),
            ],
            list(schema["properties"]),
        )


class Refused(unittest.TestCase):
    def test_a_url_that_is_none(self) -> None:
        for url, words in (
            ("ftp://a.example", "must begin with https:// or http://"),
            ("/hook", "must begin with"),
            ("https://me:pw@a.example", "in a header, Authorization"),
            ("https://a.example/#x", "has a fragment"),
            ("https://a.example\\@b.example", "has a backslash"),
            ("https://a.example/a b", "has a blank"),
            ("https://a.example:0", "has a port"),
            ("https://straße.example", "xn--"),
            ("https://", "has no host"),
        ):
            self.assertIn(words, faults(url=url)["/url"], url)
        self.assertEqual({"/url": "must be a string, not null"}, faults(url=None))

    def test_headers_that_are_ours_or_none(self) -> None:
        for name in (
            *("Host", "content-length", "Transfer-Encoding", "connection", "Keep-Alive", "TE", "trailer", "Upgrade"),
            *("Expect", "Proxy-Authorization", "accept-encoding", "Webhook-ID", "webhook-x", "Waybill-Attempt"),
            *("traceparent", "X-Request-ID"),
        ):
            self.assertIn("Waybill writes itself", faults(headers={name: "a"})[f"/headers/{name}"])
        for name in ("", "a b", "a:", "ä", "a\r\n", "a" * 101):
            self.assertIn("is not a header's name", faults(headers={name: "a"})[f"/headers/{name}"])
        for value in ("a\r\nHost: b", "a\n", "ü", " a", "a ", "\x00", "a\x7f"):
            self.assertIn("must be printable ASCII", faults(headers={"X": value})["/headers/X"])
        self.assertIn("8001 characters", faults(headers={"X": "a" * (MAX_HEADER_CHARS + 1)})["/headers/X"])
        self.assertIn("twice", faults(headers={"X-A": "1", "x-a": "2"})["/headers/x-a"])
        self.assertIn("51 headers", faults(headers={f"X-{n}": "" for n in range(MAX_HEADERS + 1)})["/headers"])
        self.assertIn("/headers/a~1b", faults(headers={"a/b": ""}))

    def test_bodies_that_can_not_be_sent(self) -> None:
        for fields, pointer, words in (
            ({"body": 1, "text": "a"}, "/text", "stands beside body"),
            ({"body": 1, "method": "GET"}, "/body", "can't be sent with GET"),
            ({"text": "", "method": "HEAD"}, "/text", "can't be sent with HEAD"),
            ({"text": "\udc80"}, "/text", "surrogate"),
            ({"body": {"a": "\udc80"}}, "/body", "surrogate"),
            ({"method": "TRACE"}, "/method", "must be one of 'POST'"),
            ({"give_up_on": [400, 200, 600]}, "/give_up_on/1", "from 300 to 599"),
            ({"give_up_on": [400] * (MAX_STATUSES + 1)}, "/give_up_on", "at most 100"),
            ({"completion": "callback"}, "/complete_within_s", "is missing"),
            ({"completion": "later"}, "/completion", "must be one of 'response'"),
            ({"complete_within_s": 5}, "/complete_within_s", "goes with completion callback"),
            ({"completion": "callback", "complete_within_s": 0.5}, "/complete_within_s", "must be from 1 to 2592000"),
            ({"completion": "callback", "complete_within_s": 2592001}, "/complete_within_s", "must be from 1"),
            ({"secret": "whsec_short"}, "/secret", "whsec_"),
        ):
            self.assertIn(words, faults(**fields)[pointer], fields)

    def test_all_faults_are_told_at_once_and_none_holds_a_secret(self) -> None:
        found = faults(
            url="https://me:hunter2@a.example", secret="hunter2", headers={"Host": "hunter2"}, body=1, text="hunter2"
        )

        self.assertEqual({"/url", "/secret", "/headers/Host", "/text"}, {*found})
        self.assertNotIn("hunter2", str(found))


if __name__ == "__main__":
    unittest.main()
