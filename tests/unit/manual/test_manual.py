"""The pages: problems explained, openapi.yaml for people. Nothing in them is anything but text."""

import re
import unittest
from html.parser import HTMLParser

from lib.api.manual import DEFAULT_BASE, base_of
from lib.http1.message import Request
from lib.manual import docs_page, problem_page, prose, yaml_subset
from lib.manual.problem_texts import TEXTS
from lib.web.page import page
from lib.web.problems import InternalError
from tests import contract

VOID = {"meta", "link", "br"}
BASE = "http://127.0.0.1:8000"
READER = problem_page.Reader(BASE)


class Tags(HTMLParser):
    """Whether tags close as they opened; which ids there are, and where the links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())


def request(host: str = "127.0.0.1:8000", **headers: str) -> Request:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", "/", "/", "", "1.1", fields, host, True, 0, False, False, 1000)


class Problems(unittest.TestCase):
    def test_every_error_has_its_text_and_every_text_its_error(self) -> None:
        self.assertEqual(problem_page.KINDS.keys(), TEXTS.keys())
        self.assertIn(InternalError.slug, TEXTS)

    def test_each_says_all_of_it_and_leads_to_its_neighbours(self) -> None:
        for slug, text in TEXTS.items():
            with self.subTest(slug):
                self.assertTrue(all(len(part) > 15 for part in (text.what, text.why, text.do)))
                self.assertIn("{base}", text.curl)
                self.assertRegex(text.curl, r"\A(ORDER=.*\n)?curl -i ")
                self.assertTrue(text.near)
                self.assertLessEqual({*text.near}, TEXTS.keys() - {slug})

    def test_a_post_that_is_sent_again_bears_a_key_that_stays(self) -> None:
        for slug, text in TEXTS.items():
            is_kept = "ORDER=${ORDER:-" in text.curl and "Idempotency-Key: $ORDER" in text.curl

            if "--retry" in text.curl and "-d '" in text.curl and slug != "idempotency-key-reused":
                self.assertTrue(is_kept, slug)
            self.assertNotIn("$(", text.curl.partition("curl ")[2], slug)

    def test_each_page_is_html_that_closes_and_shows_the_command(self) -> None:
        for slug in TEXTS:
            with self.subTest(slug):
                tags = Tags(problem_page.as_html(slug, READER))
                command = TEXTS[slug].curl.replace("{base}", BASE)

                self.assertEqual([], tags.open)
                self.assertIn(prose.escape(command), problem_page.as_html(slug, READER))
                self.assertIn(command, problem_page.as_text(slug, READER))
                self.assertNotIn("**", problem_page.as_text(slug, READER) + problem_page.as_json(slug, READER))

    def test_where_a_key_is_asked_for_the_commands_bear_it(self) -> None:
        for slug in TEXTS:
            command = problem_page.facts(slug, problem_page.Reader(BASE, asks_for_key=True))["curl"]

            self.assertEqual("/api" in command, "Authorization: Bearer $KEY" in command, slug)
            self.assertLessEqual(command.count("Authorization"), 1)
        self.assertNotIn("Authorization", problem_page.facts("bad-json", READER)["curl"])

    def test_the_list_has_each(self) -> None:
        for text in (problem_page.index_html(), problem_page.index_text(), problem_page.index_json()):
            self.assertEqual(set(TEXTS), set(re.findall(r"/problems/([a-z-]+)", text)))


class Docs(unittest.TestCase):
    page: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.page = docs_page.page(yaml_subset.read(contract.PATH.read_text(encoding="utf-8")))

    def test_it_is_html_that_closes_and_every_link_in_it_leads_somewhere(self) -> None:
        tags = Tags(self.page)

        self.assertEqual([], tags.open)
        self.assertEqual(len(set(tags.ids)), len(tags.ids))
        self.assertLessEqual({link[1:] for link in tags.links if link.startswith("#")}, set(tags.ids))
        elsewhere = {link for link in tags.links if not link.startswith("#")}
        known = {"/docs", "/problems", "/openapi.yaml", "/manual.css", *(f"/problems/{slug}" for slug in TEXTS)}
        self.assertLessEqual(elsewhere, known)

    def test_it_holds_no_script_no_style_and_nothing_from_elsewhere(self) -> None:
        tags = Tags(self.page)

        self.assertFalse(tags.names & {"script", "style", "img", "iframe", "object", "form", "svg"})
        self.assertFalse({name for name in tags.attributes if name == "style" or name.startswith("on")})

    def test_where_a_key_is_asked_for_its_commands_bear_it(self) -> None:
        text = docs_page.page(yaml_subset.read(contract.PATH.read_text(encoding="utf-8")), asks_for_key=True)
        commands = re.findall(r"<code>(curl -i .*?)</code></pre>", text, re.DOTALL)

        self.assertGreater(len(commands), 15)
        for command in commands:
            # The path of a callback ends in a key of its own.
            is_private = re.search(r"/api/(?!callbacks/)|/metrics", command) is not None
            self.assertEqual(is_private, "Bearer $KEY" in command, command)

    def test_it_has_every_operation_parameter_answer_and_schema(self) -> None:
        document = contract.load()
        tags = Tags(self.page)

        for operation in document.operations:
            self.assertIn(operation.id, tags.ids)
            self.assertIn(f"<code>{prose.escape(operation.path)}</code>", self.page)
            for status in operation.fields["responses"]:
                self.assertIn(f"{operation.id}-{status}", tags.ids)
            for parameter in operation.parameters:
                self.assertIn(f"<code>{parameter['name']}</code>", self.page)
        for name in document.document["components"]["schemas"]:
            self.assertIn(f"schema-{name}", tags.ids)
        for example in document.request_examples():
            body = example[2]
            first = body.splitlines()[0] if type(body) is str else next(iter(body[0] if type(body) is list else body))
            self.assertIn(prose.escape(str(first)), self.page)


class Prose(unittest.TestCase):
    def test_its_forms(self) -> None:
        for text, html in (
            ("a\nb", "<p>a\nb</p>"),
            ("a `b` **c**", "<p>a <code>b</code> <strong>c</strong></p>"),
            ("`**a**`", "<p><code>**a**</code></p>"),
            ("    x <y>\n      z", "<pre><code>x &lt;y&gt;\n  z</code></pre>"),
            ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
            (
                "see `/problems/not-found`",
                '<p>see <a href="/problems/not-found"><code>/problems/not-found</code></a></p>',
            ),
            ("a\n\n\nb", "<p>a</p>\n<p>b</p>"),
        ):
            self.assertEqual(html, prose.paragraphs(text))
        self.assertIn('<th scope="col">a</th>', prose.paragraphs("| a | b |\n|---|---|\n| `c` | d |"))
        self.assertIn("<td><code>c</code></td>", prose.paragraphs("| a | b |\n|---|---|\n| `c` | d |"))

    def test_no_tag_comes_out_that_was_not_made_here(self) -> None:
        for text in ("<b>", "`<b>`", "**<b>**", "    <b>", "- <b>", "| <b> |\n|---|\n| <b> |", '`/problems/"><b>`'):
            self.assertNotIn("<b>", prose.paragraphs(text))


class Answers(unittest.TestCase):
    def test_commands_are_for_the_address_that_the_reader_used(self) -> None:
        for host, base in (
            ("127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("jobs.example.com", "http://jobs.example.com"),
            ("[::1]:8000", "http://[::1]:8000"),
            ("", DEFAULT_BASE),
            ("a$(reboot)", DEFAULT_BASE),
            ("a;b", DEFAULT_BASE),
            ("'x'", DEFAULT_BASE),
        ):
            self.assertEqual(base, base_of(request(host)))
        self.assertEqual("https://a", base_of(request("a", x_forwarded_proto="https")))
        self.assertEqual("http://a", base_of(request("a", x_forwarded_proto="javascript")))

    def test_who_has_it_is_not_sent_it_again(self) -> None:
        first = page(request(), "text", "text/css")
        etag = dict(first.headers)["ETag"]

        for given, status in (
            (etag, 304),
            (etag.removeprefix("W/"), 304),
            (f'"other", {etag}', 304),
            ("*", 304),
            ('"other"', 200),
            ("", 200),
        ):
            again = page(request(if_none_match=given), "text", "text/css")
            self.assertEqual((status, etag), (again.status, dict(again.headers)["ETag"]), given)


if __name__ == "__main__":
    unittest.main()
