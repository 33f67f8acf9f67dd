"""The text part that is made from a mail's html."""

import time
import unittest

from lib.handlers.email.html_text import MOST_TAGS, text_of
from tests.unit.handlers.email.letters import letter, read, shape
from tests.unit.handlers.email.letters import text_of as part_of

HOSTILE = (
    *(
        "<",
        "<a ",
        "<!--",
        "<!",
        "<?",
        "</",
        '<a ="',
        "<a ='\">",
        "<a b=",
        "<script>",
        "<script></script>",
        "<title>",
        "</script",
    ),
    *(
        "<ul><li>x",
        "<ol>",
        "<blockquote>x",
        "</ul>",
        "</blockquote>",
        "<b>",
        "<td>x",
        "<br>",
        "<pre>\n",
        "<a href=x:y>z",
        "</a>",
    ),
    *(
        "<p hidden>x",
        "<div hidden>",
        "<div hidden><table>",
        "<svg>",
        "&",
        "&#",
        "&amp;",
        "&#38",
        "\xa0\u200c",
        " \n",
        "-->",
        "='",
    ),
)
WRAPPED = (
    "<p {}>x",
    '<p a="{}">x',
    "<p a='{}",
    "<!--{}",
    "<script>{}</script",
    "&#{};",
    "<img alt={}>",
    "<a href='{}'>x</a>",
)


class Words(unittest.TestCase):
    def check(self, *cases: tuple[str, str]) -> None:
        for html, text in cases:
            with self.subTest(html=html):
                self.assertEqual(text_of(html), text)

    def test_paragraphs_lines_and_blanks(self) -> None:
        self.check(
            ("Hello", "Hello"),
            ("<p>One</p><p>Two</p>", "One\n\nTwo"),
            ("<p>One<p>Two", "One\n\nTwo"),
            ("<div>a</div><div>b</div>", "a\nb"),
            ("<div><div><div>a</div></div></div><div>b</div>", "a\nb"),
            ("a<br>b<br/>c<BR />d</br>e", "a\nb\nc\nd\ne"),
            ("a<br><br>b<br><br><br><br>c", "a\n\nb\n\nc"),
            ("  a\n\t b  <b> c </b>d ", "a b c d"),
            ("<b>a</b><i>b</i>", "ab"),
            ("<h1>Title</h1>text<hr>end", "Title\n\ntext\n\n-----\n\nend"),
            ("<p>\r\nOne\r\nline\r\n</p>", "One line"),
            ("", ""),
            (" \n<p> </p>&nbsp;<div></div>", ""),
        )

    def test_what_is_no_text_is_left_out(self) -> None:
        self.check(
            ("<!DOCTYPE html><html><head><title>T</title><style>p{}</style></head><body><p>a</body></html>", "a"),
            ("a<script>if (1 < 2) x('</p>')</script>b<STYLE>\n</STYLE >c", "abc"),
            ("a<!-- <p>no</p> -->b<!-->c<!--->d<!-- --!>e", "abcde"),
            ("<!--[if mso]><p>Outlook</p><![endif]--><!--[if !mso]><!--><p>others</p><!--<![endif]-->", "others"),
            ("a<?xml version='1.0'?>b<![CDATA[x]]>c</ x>d", "abcd"),
            ("a<svg><title>x</title><text>y</text></svg>b<template><p>t</p></template>c", "abc"),
            ("<o:p>a</o:p><font color=red>b</font>", "ab"),
        )

    def test_what_is_hidden_is_left_out_and_nothing_beside_it(self) -> None:
        self.check(
            ('<div style="display:none;max-height:0">Preheader</div><p>Hi</p>', "Hi"),
            ('<span style="color:red; DISPLAY : NONE">a<span>b</span>c</span>d', "d"),
            ("<p hidden>a<p>b", "b"),
            ('<table><tr style="display:none"><td>a<table><tr><td>b</table><tr><td>c</table>d', "c\n\nd"),
            ("<ul><li hidden>a<ul><li>b</ul><li>c</ul><p>d", "- c\n\nd"),
            ("<ul><li hidden>a</ul>b", "b"),
            ('<div class="hidden" data-x="display:none" title="hidden">a</div>', "a"),
            ('<img hidden alt="x">a<br hidden>b', "xa\nb"),
            ("<div hidden>a<script></div></script>b</div>c", "c"),
        )

    def test_what_only_fills_the_line_in_a_mailbox_is_a_blank(self) -> None:
        self.check(
            ("a&nbsp;b", "a b"),
            ("Sale" + "&zwnj;&nbsp;&#847; " * 50 + "now", "Sale now"),
            ("soft&shy;hyphen&#8203;s", "softhyphens"),
            ("می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻"),
        )

    def test_references(self) -> None:
        self.check(
            ("&lt;b&gt; &amp;amp; &quot;&#39;&#x20AC;&copy 2026&euro;", "<b> &amp; \"'€© 2026€"),
            ("&nosuch; & a&b &#xD800; &#0;", "&nosuch; & a&b \ufffd \ufffd"),
            ("&#99999999999;", "&#99999999999;"),
            (f"&#{'9' * 5000};", f"&#{'9' * 5000};"),
        )

    def test_links_say_where_they_lead(self) -> None:
        self.check(
            (
                'See <a href="https://x.example/a?b=1&amp;c=2">our <i>site</i></a>.',
                "See our site <https://x.example/a?b=1&c=2>.",
            ),
            ("<a href=https://x.example/?a=1&copy=2>x</a>", "x <https://x.example/?a=1&copy=2>"),
            ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
            ('<a href="https://x.example/">x.example</a>', "x.example"),
            (
                '<a href="mailto:a@b.example">a@b.example</a> <a href="mailto:a@b.example">Mail</a>',
                "a@b.example Mail <a@b.example>",
            ),
            (
                '<a href="#top">top</a> <a href="javascript:x()">run</a> <a href="/rel">rel</a> <a>none</a>',
                "top run rel none",
            ),
            ('<a href="tel:+431234">+43 1234</a>', "+43 1234"),
            ('<a href=" https://x.example/\n a b ">x</a>', "x <https://x.example/%20a%20b>"),
            ('<a href="https://x.example/"><img src="l.png" alt="Shop"></a>', "Shop <https://x.example/>"),
            ('<a href="https://x.example/"><img src="l.png"></a>', "https://x.example/"),
            ('<a href="https://x.example/"><div>Big</div></a><p>next', "Big <https://x.example/>\n\nnext"),
            (
                '<a href="https://x.example/">one<a href="https://y.example/">two',
                "one <https://x.example/>two <https://y.example/>",
            ),
        )

    def test_lists(self) -> None:
        self.check(
            ("<ul><li>a<li>b</li></ul>end", "- a\n- b\n\nend"),
            ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
            ('<ol start="9"><li>a<br>more<li>b</ol>', "9. a\n   more\n10. b"),
            ("<ol start=0><li>a</ol>", "0. a"),
            ("<ul><li>a<ol><li>b</li></ol></li><li>c</li></ul>", "- a\n  1. b\n- c"),
            ("<ul>\n <li><p>a</p></li>\n <li></li></ul>end", "- a\n\nend"),
            ("<li>alone", "- alone"),
            ("<dl><dt>term<dd>says</dl>", "term\nsays"),
        )

    def test_tables_are_a_line_a_row(self) -> None:
        self.check(
            (
                "<table><tr><th>Item</th> <th>Price</th></tr>\n<tr><td>Tea</td><td> 3.00 </td></tr></table>",
                "Item | Price\nTea | 3.00",
            ),
            ("<table><tr><td></td><td>a</td><td></td></tr></table>b", "a\n\nb"),
            ("<table><tr><td><p>a</p></td><td><p>b</p></td></tr></table>", "a\n\nb"),
        )

    def test_quotations_and_text_that_is_set_as_it_is(self) -> None:
        self.check(
            ("a<blockquote><p>b</p><p>c</p></blockquote>d", "a\n\n> b\n>\n> c\n\nd"),
            ("<pre>\n  def f():\n\n      return <b>1</b>\n</pre>end", "  def f():\n\n      return 1\n\nend"),
            ("<blockquote><ul><li>a</blockquote>b", "> - a\n\nb"),
        )

    def test_broken_html_ends_where_it_ends_in_a_browser(self) -> None:
        self.check(
            ("1 < 2 and 3 > 2 <3", "1 < 2 and 3 > 2 <3"),
            ("a<b", "a"),
            ("a<!-- b", "a"),
            ("a<script>b", "a"),
            ('a<a href="x:y>b', "ab"),
            ("a<p title=it's>b</p>c<p title='>'>d", "a\n\nb\n\nc\n\nd"),
            ('<p ">a</p>', "a"),
            ("</p></ul></blockquote></a></pre></li>a", "a"),
        )

    def test_no_input_takes_long(self) -> None:
        pages = [part * (80_000 // len(part)) for part in HOSTILE]
        pages += [
            page.replace("{}", part * 20_000) for page in WRAPPED for part in ("a ", "=", " ", '"', "9", "-", "'=")
        ]
        for page in pages:
            with self.subTest(page=page[:20]):
                started_s = time.process_time()

                text = text_of(page)

                self.assertLess(time.process_time() - started_s, 1)
                self.assertLess(len(text), 4 * len(page))

    def test_a_page_of_very_many_tags_has_no_text(self) -> None:
        self.assertEqual(text_of("<b>x" * (MOST_TAGS + 1)), "")
        self.assertEqual(len(text_of("<b>x" * (MOST_TAGS - 1))), MOST_TAGS - 1)


class Mails(unittest.TestCase):
    def test_html_alone_gets_a_text(self) -> None:
        html = "<p>Grüße &amp; <a href='https://x.example/'>mehr</a></p>"

        message = read(letter(text=None, html=html).content)

        self.assertEqual(shape(message), ("alternative", ["text/plain", "text/html"]))
        self.assertEqual(part_of(message, "plain"), "Grüße & mehr <https://x.example/>\n")
        self.assertEqual(part_of(message, "html"), f"{html}\n")

    def test_no_part_is_empty_beside_another(self) -> None:
        for text, html, there in (
            ("", "<p>Hi", "text/html"),
            (" \n", "<p>Hi", "text/html"),
            (None, '<img src="https://x.example/a.png">', "text/html"),
            ("Hi", "", "text/plain"),
            ("Hi", " \r\n", "text/plain"),
            ("", "", "text/plain"),
            ("", None, "text/plain"),
            (None, "", "text/html"),
        ):
            with self.subTest(text=text, html=html):
                self.assertEqual(shape(read(letter(text=text, html=html).content)), there)


if __name__ == "__main__":
    unittest.main()
