"""What a URL of a request may be; each refusal says what to write instead."""

import unittest

from lib.http1.client.url import Url, read_url


class ReadUrl(unittest.TestCase):
    def test_a_url_is_split(self) -> None:
        cases = {
            "https://API.example.com/hook?x=1": Url("https", "api.example.com", 443, "/hook?x=1"),
            "HTTP://a": Url("http", "a", 80, "/"),
            "http://a.:8080?x=%20&y=/": Url("http", "a", 8080, "/?x=%20&y=/"),
            "http://[2001:DB8::1]:8080/a": Url("http", "2001:db8::1", 8080, "/a"),
            "https://192.0.2.7/": Url("https", "192.0.2.7", 443, "/"),
            "http://xn--grn-joa.example/": Url("http", "xn--grn-joa.example", 80, "/"),
            "http://order_service/a@b:c": Url("http", "order_service", 80, "/a@b:c"),
        }
        for text, url in cases.items():
            with self.subTest(text):
                self.assertEqual(read_url(text), url)

    def test_host_and_port_are_written_for_the_field_and_for_the_group(self) -> None:
        cases = {
            "https://a.example/": ("a.example", "a.example:443"),
            "https://a.example:443/": ("a.example", "a.example:443"),
            "http://a.example:443/": ("a.example:443", "a.example:443"),
            "http://[::1]/": ("[::1]", "[::1]:80"),
            "http://[::1]:8080/": ("[::1]:8080", "[::1]:8080"),
        }
        for text, (authority, origin) in cases.items():
            with self.subTest(text):
                self.assertEqual((read_url(text).authority, read_url(text).origin), (authority, origin))

    def test_what_could_be_read_in_two_ways_is_refused_with_what_to_write(self) -> None:
        cases = {
            "http://grün.example/": "xn--",
            "http://a/grün": "percent-encoded",
            "http://a/b c": "%20",
            "http://a/b\r\nX: y": "percent-encode",
            "http://a\t/": "percent-encode",
            "http:\\\\a/": "backslash",
            "http://a\\@b/": "backslash",
            "http://a/#b": "fragment",
            "http://me:secret@a/": "Authorization",
            "http://me@a/": "Authorization",
            "http://a:0/": "1 to 65535",
            "http://a:65536/": "1 to 65535",
            "http://a:/": "host:port",
            "http://a:b/": "host:port",
            "http://a:80:90/": "host:port",
            "http://::1/": "brackets",
            "http://[::1/": "brackets",
            "http://[fe80::1%eth0]/": "zone",
            "http://[a]/": "IPv6",
            "http:///a": "no host",
            "http://./a": "no host",
            "http://a..b/": "labels",
            "http://-a/": "labels",
            "http://a,b/": "labels",
            "http://%61/": "labels",
            f"http://{'a' * 64}/": "labels",
            f"http://{'a.' * 127}aa/": "labels",
            "http://127.1/": "four decimal numbers",
            "http://2130706433/": "four decimal numbers",
            "http://0x7f000001/": "four decimal numbers",
            "http://0177.0.0.1/": "four decimal numbers",
            "http://a.0x1/": "four decimal numbers",
            "ftp://a/": "http://",
            "//a/": "http://",
            "/a": "http://",
            "a": "http://",
            "": "http://",
            f"http://a/{'x' * 8192}": "8192",
        }
        for text, words in cases.items():
            with self.subTest(text), self.assertRaises(ValueError) as caught:
                read_url(text)

            self.assertIn(words, str(caught.exception), text)


if __name__ == "__main__":
    unittest.main()
