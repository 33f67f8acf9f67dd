"""The attachments of an email job: which are refused at POST, which are accepted, and how a mail holds the files."""

import base64
import itertools
import time
import unittest
from email.message import EmailMessage
from typing import Any

from lib.handlers.email.attachment import Attachment
from lib.handlers.email.email_payload import MAX_ATTACHMENTS, Email
from lib.handlers.email.letter_body import missing_cids
from tests.unit.handlers.email.letters import JOB_ID, letter, lines_of, pointers, read, shape

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256))).decode()
FILENAMES = (
    *(
        "a.pdf",
        "two words.pdf",
        "no-suffix",
        ".hidden",
        "a;b=c,d.pdf",
        "it's 100%.pdf",
        'say "hi".pdf',
        "=?utf-8?q?x?=.pdf",
    ),
    *(
        "Grüße.pdf",
        "報告書 2026.pdf",
        "😀" * 60 + ".pdf",
        "n" * 251 + ".pdf",
        "word " * 50 + ".pdf",
        "ü" * 251 + ".pdf",
        "a=b.pdf",
    ),
)


def attach(*files: dict[str, Any], **fields: Any) -> EmailMessage:
    """The mail with these files. A field that a file does not have is filled in: one byte, named a.bin."""
    return read(
        letter(attachments=[{"content": "QQ==", "filename": "a.bin", **file} for file in files], **fields).content
    )


def first_file(message: EmailMessage) -> EmailMessage:
    return next(part for part in message.walk() if part.get_content_disposition())


class Refusals(unittest.TestCase):
    def faults(self, **file: Any) -> list[str]:
        return pointers(attachments=[{"content": "QQ==", **file}])

    def test_what_is_no_base64_is_refused_at_its_place(self) -> None:
        for content in (
            *("Q", "QQ=", "QUJDRA=", "=", "====", "QQ===", "QQ==QQ==", "Q=Q=", "QU!D", "QUJ\0", "QÜJD", "QUJDQ"),
            *("data:image/png;base64,QUJD", "https://x.example/a.png", "\ud800", "QQ==\x0b", "QU.D"),
        ):
            with self.subTest(content=content):
                self.assertEqual(self.faults(content=content), ["/payload/attachments/0/content"])

    def test_a_filename_is_no_path_and_has_no_line_break(self) -> None:
        for filename in (
            *(
                "a/b.pdf",
                "/etc/passwd",
                "..",
                ".",
                "../a",
                "C:\\a.pdf",
                "a\\b",
                "a\nb",
                "a\r\nContent-Type: text/html",
                "\0",
            ),
            *("a\x85b", "a\u2028b", "\ud800", "n" * 256),
        ):
            with self.subTest(filename=filename):
                self.assertEqual(self.faults(filename=filename), ["/payload/attachments/0/filename"])

    def test_a_content_type_is_one_and_one_that_an_attachment_can_have(self) -> None:
        for content_type in (
            *(
                "pdf",
                "a/",
                "/b",
                "a/b/c",
                "a/b;",
                "text/plain; charset",
                "text/plain; charset=a b",
                "tëxt/plain",
                "a/b\r\nX: y",
            ),
            *(
                'text/plain; x="a\n"',
                "text/plain, text/html",
                "multipart/mixed",
                "Multipart/Mixed; boundary=a",
                "message/partial",
            ),
            *(
                "message/external-body; access-type=URL",
                "a/" + "b" * 254,
                'text/plain; x="\\"',
                "text/plain; x*=utf-8''a",
            ),
        ):
            is_fine = content_type == "a/b;"
            with self.subTest(content_type=content_type):
                expected = [] if is_fine else ["/payload/attachments/0/content_type"]
                self.assertEqual(self.faults(content_type=content_type), expected)

    def test_a_cid_is_what_a_url_and_a_content_id_can_hold(self) -> None:
        for cid in ("a b", "a>b", "<<a>", 'a"b', "lögo", "a\r\nb", "a\0", "a" * 251, "(a)", "a,b"):
            with self.subTest(cid=cid):
                self.assertEqual(self.faults(cid=cid), ["/payload/attachments/0/cid"])

    def test_two_files_may_not_have_one_cid(self) -> None:
        files = [
            {"content": "", "cid": "a"},
            {"content": "", "cid": "b"},
            {"content": "", "cid": "<a>"},
            {"content": ""},
        ]

        self.assertEqual(pointers(attachments=files), ["/payload/attachments/2/cid"])

    def test_every_fault_is_told_at_once(self) -> None:
        found = pointers(
            attachments=[
                {"content": "!", "filename": "a/b", "content_type": "x", "cid": " "},
                {"filename": "a"},
                {"content": "", "disposition": "Inline"},
                {"content": "", "path": "/etc/passwd"},
            ]
        )

        self.assertEqual(
            found,
            [f"/payload/attachments/0/{name}" for name in ("content", "filename", "content_type", "cid")]
            + [f"/payload/attachments/{place}" for place in ("1/content", "2/disposition", "3/path")],
        )

    def test_there_is_a_limit_to_their_number(self) -> None:
        files = [{"content": ""}] * MAX_ATTACHMENTS

        self.assertEqual(pointers(attachments=files), [])
        self.assertEqual(pointers(attachments=[*files, {"content": ""}]), ["/payload/attachments"])

    def test_a_mail_needs_a_text_or_a_file(self) -> None:
        nothing: tuple[list[Any] | None, ...] = (None, [])
        for attachments in nothing:
            self.assertEqual(pointers(text=None, attachments=attachments), ["/payload/text"])
        self.assertEqual(pointers(text=None, attachments=[{"content": ""}]), [])


class Contents(unittest.TestCase):
    def test_both_alphabets_line_breaks_and_missing_padding_are_taken(self) -> None:
        body = bytes(range(256)) * 3 + b"\xfb\xff\xfe"
        for cut in range(4):
            content = body[: len(body) - cut]
            standard = base64.b64encode(content).decode()
            for written in (
                standard,
                standard.rstrip("="),
                base64.urlsafe_b64encode(content).decode(),
                base64.encodebytes(content).decode(),
                base64.encodebytes(content).decode().replace("\n", "\r\n"),
                f" {standard}\n",
            ):
                with self.subTest(cut=cut, written=written[-8:]):
                    part = first_file(attach({"content": written}))

                    self.assertEqual(part.get_content(), content)

    def test_an_empty_file_is_one(self) -> None:
        for content in ("", "\n"):
            self.assertEqual(first_file(attach({"content": content})).get_content(), b"")

    def test_lines_of_base64_have_76_characters(self) -> None:
        for length in (56, 57, 58, 114, 1000):
            coded = base64.b64encode(bytes(length)).decode()

            lines = str(first_file(attach({"content": coded})).get_payload()).split()

            self.assertEqual("".join(lines), coded)
            self.assertEqual([len(line) for line in lines[:-1]], [76] * ((len(coded) - 1) // 76))

    def test_a_text_arrives_byte_for_byte_in_its_charset(self) -> None:
        for body, content_type, charset in (
            ("Grüße\n".encode(), None, "utf-8"),
            ("Grüße\n".encode("latin-1"), "text/csv; charset=iso-8859-1", "iso-8859-1"),
            ("Grüße\n".encode("latin-1"), "text/csv", None),
            ("Grüße\r\n\rx\n".encode("utf-16"), "text/csv; charset=UTF-16", "utf-16"),
            ("a\n".encode("utf-16-le"), "text/csv", None),
            (b"", "text/plain", "utf-8"),
            (b"a", 'Text/CSV;header=present; CHARSET="us-ascii"', "us-ascii"),
        ):
            with self.subTest(content_type=content_type, body=body):
                file = {"content": base64.b64encode(body).decode(), "filename": "a.csv", "content_type": content_type}

                part = first_file(attach(file))

                self.assertEqual(part.get_payload(decode=True), body)
                self.assertEqual(part.get_content_charset(), charset)
                self.assertEqual(
                    part["Content-Type"].params.get("header"), "present" if "header" in f"{content_type}" else None
                )

    def test_a_message_stands_there_as_it_is(self) -> None:
        inner = letter(subject="inner", html="<p>x").content
        for body in (inner, inner.replace(b"\r\n", b"\n")):
            message = attach({"content": base64.b64encode(body).decode(), "filename": "a.eml"})

            part = first_file(message)
            self.assertEqual((part.get_content_type(), part["Content-Transfer-Encoding"]), ("message/rfc822", "7bit"))
            self.assertEqual(part.get_filename(), "a.eml")
            self.assertEqual(part.get_content()["Subject"], "inner")
            self.assertIn(
                inner, letter(attachments=[{"content": base64.b64encode(body).decode(), "filename": "a.eml"}]).content
            )

    def test_a_message_that_can_not_stand_there_is_a_file_of_its_name(self) -> None:
        for body in (
            "Subject: ü\n\nü\n".encode(),
            b"Subject: a\n\n" + b"x" * 999,
            b"Subject: a\n\n\0",
            b"Subject: a\rb\n\n",
        ):
            with self.subTest(body=body[:20]):
                file = {
                    "content": base64.b64encode(body).decode(),
                    "content_type": "message/rfc822; x=y",
                    "filename": "a.eml",
                }

                part = first_file(attach(file))

                self.assertEqual(part["Content-Type"], 'application/octet-stream; name="a.eml"')
                self.assertEqual((part.get_content(), part.get_filename()), (body, "a.eml"))


class Names(unittest.TestCase):
    def test_a_filename_comes_back_as_it_was_from_both_places(self) -> None:
        for filename in FILENAMES:
            with self.subTest(filename=filename):
                content = letter(attachments=[{"content": "QQ==", "filename": filename}]).content

                part = first_file(read(content))
                self.assertEqual(part.get_filename(), filename.strip())
                self.assertEqual(part["Content-Type"].params["name"], filename.strip())
                self.assertLessEqual(max(map(len, content.split(b"\r\n"))), 78 if not filename.isascii() else 300)

    def test_a_plain_filename_is_written_so_that_every_reader_knows_it(self) -> None:
        content = letter(attachments=[{"content": "QQ==", "filename": "Invoice 4711 (copy).pdf"}]).content

        self.assertIn(b'Content-Disposition: attachment;\r\n filename="Invoice 4711 (copy).pdf"\r\n', content)

    def test_no_piece_of_a_filename_ends_within_a_character(self) -> None:
        for begin in range(6):
            content = letter(attachments=[{"content": "", "filename": "x" * begin + "é日😀" * 20}]).content

            self.assertNotRegex(content, rb"%(?:C3|E6|E6%97|F0|F0%9F|F0%9F%98);?\r\n")
            self.assertEqual(first_file(read(content)).get_filename(), "x" * begin + "é日😀" * 20)

    def test_the_type_is_read_from_the_name_unless_it_is_given(self) -> None:
        for filename, content_type, expected in (
            ("a.PDF", None, "application/pdf"),
            ("a.tar.gz", None, "application/gzip"),
            ("a.docx", "", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ("invite.ics", None, "text/calendar"),
            ("photo.JPG", None, "image/jpeg"),
            ("a.webp", None, "image/webp"),
            ("a.unknown", None, "application/octet-stream"),
            ("pdf", None, "application/octet-stream"),
            ("a.pdf", "application/x-mine", "application/x-mine"),
        ):
            with self.subTest(filename=filename, content_type=content_type):
                part = first_file(attach({"filename": filename, "content_type": content_type}))

                self.assertEqual(part.get_content_type(), expected)

    def test_a_calendars_method_is_kept(self) -> None:
        part = first_file(attach({"filename": "i.ics", "content_type": "text/calendar; method=REQUEST; name=x"}))

        self.assertEqual(dict(part["Content-Type"].params), {"method": "REQUEST", "charset": "utf-8", "name": "i.ics"})

    def test_a_file_without_a_name_is_given_one(self) -> None:
        message = attach({"filename": None, "content_type": "image/png"}, {"filename": " "}, {"filename": "x.y"})

        self.assertEqual(
            [p.get_filename() for p in message.iter_attachments()], ["attachment-1.png", "attachment-2.bin", "x.y"]
        )


class Shapes(unittest.TestCase):
    def test_a_mail_has_no_more_levels_than_it_needs(self) -> None:
        logo = {"content": PNG, "filename": "logo.png", "cid": "logo"}
        file = {"content": "QQ==", "filename": "a.pdf"}
        html = '<p>Hi <img src="cid:logo">'
        both = ("alternative", ["text/plain", "text/html"])
        for text, page, files, expected in (
            ("Hi", None, [file], ("mixed", ["text/plain", "application/pdf"])),
            ("Hi", None, [file, file], ("mixed", ["text/plain", "application/pdf", "application/pdf"])),
            ("Hi", "<p>Hi", [file], ("mixed", [both, "application/pdf"])),
            ("", "<p>Hi", [file], ("mixed", ["text/html", "application/pdf"])),
            (None, None, [file], ("mixed", ["application/pdf"])),
            ("Hi", html, [logo], ("related", [both, "image/png"])),
            ("", html, [logo], ("related", ["text/html", "image/png"])),
            (None, html, [logo], ("related", [both, "image/png"])),
            ("Hi", html, [file, logo], ("mixed", [("related", [both, "image/png"]), "application/pdf"])),
            ("Hi", "<p>Hi", [logo], ("mixed", [both, "image/png"])),
            ("Hi", None, [logo], ("mixed", ["text/plain", "image/png"])),
            ("Hi", html, [], both),
        ):
            with self.subTest(text=text, html=page, files=files):
                message = read(letter(text=text, html=page, attachments=files).content)

                self.assertEqual(shape(message), expected)

    def test_multipart_related_names_the_type_of_its_root(self) -> None:
        for text, root in (("Hi", "multipart/alternative"), ("", "text/html")):
            message = attach({"cid": "logo"}, text=text, html="<img src=cid:logo>")

            self.assertEqual(message["Content-Type"].params["type"], root)

    def test_the_html_may_name_a_cid_in_many_ways(self) -> None:
        for cid, html in (
            ("logo", "<img src='cid:logo'>"),
            ("cid:logo", '<td background="CID:logo">'),
            ("<logo@x.example>", '<img src="cid:logo@x.example">'),
            ("logo@x.example", '<img src="cid:logo%40x.example">'),
            ("a&b", '<img src="cid:a&amp;b">'),
            ("logo", '<p style="background: url(cid:logo)">'),
            ("logo", "<p style=\"background: url( 'cid:logo' )\">"),
            ("a%20b", '<img src="cid:a%20b">'),
        ):
            with self.subTest(cid=cid, html=html):
                part = first_file(attach({"cid": cid, "content": PNG, "filename": "l.png"}, html=html))

                self.assertEqual(part.get_content_disposition(), "inline")
                self.assertEqual(part["Content-ID"], f"<{cid.removeprefix('cid:').strip('<>')}>")

    def test_a_file_whose_cid_nobody_names_is_attached_for_all_to_see(self) -> None:
        for html in ("<p>cid:logo", '<img src="cid:Logo">', '<img src="cid:logo2">', None):
            message = attach({"cid": "logo"}, html=html)

            self.assertEqual(message.get_content_subtype(), "mixed")
            self.assertEqual(first_file(message).get_content_disposition(), "attachment")
            self.assertEqual(first_file(message)["Content-ID"], "<logo>")

    def test_the_disposition_can_be_chosen(self) -> None:
        html = '<img src="cid:logo">'
        for cid, chosen in itertools.product(("logo", "other", None), ("inline", "attachment")):
            message = attach({"cid": cid, "disposition": chosen}, html=html)

            self.assertEqual(first_file(message).get_content_disposition(), chosen)
            self.assertEqual(message.get_content_subtype(), "related" if cid == "logo" else "mixed")

    def test_pictures_that_the_html_shows_and_nobody_attached_are_found(self) -> None:
        html = '<img src="cid:a"><img src="cid:b%40x"><img src="cid:c"><p>cid:d'
        files = [Attachment("", cid="b@x"), Attachment("", cid="c")]

        self.assertEqual(missing_cids(html, files), ["a"])

    def test_a_text_that_quotes_a_boundary_does_not_end_its_part(self) -> None:
        marks = [f"--=_{level}{JOB_ID[-32:]}" for level in ("", "r_", "m_", "_")]
        text = "\n".join([*marks, *[f"{mark}--" for mark in marks], *[f"{mark}_" for mark in marks]])
        inner = base64.b64encode(f"Subject: a\n\n{text}\n".encode()).decode()

        message = attach(
            {"cid": "logo", "content": PNG},
            {"filename": "a.eml", "content": inner},
            text=text,
            html=f'<img src="cid:logo"><pre>\n{text}</pre>',
        )

        both = ("alternative", ["text/plain", "text/html"])
        self.assertEqual(shape(message), ("mixed", [("related", [both, "application/octet-stream"]), "message/rfc822"]))
        self.assertEqual(first_file(message).get_content(), base64.b64decode(PNG))

    def test_nothing_exceeds_998_and_every_line_ends_with_crlf_and_is_ascii(self) -> None:
        files = [{"content": PNG, "filename": name, "cid": f"c{n}"} for n, name in enumerate(FILENAMES)]
        files.append({"content": base64.b64encode(b"Subject: a\n\n.\n..\n" + b"x" * 998).decode(), "filename": "a.eml"})
        files.append({"content": "", "content_type": "a/b; " + "; ".join(f"p{n}={'v' * 20}" for n in range(9))})

        content = letter(html='<img src="cid:c3">', attachments=files).content

        self.assertTrue(content.isascii())
        self.assertEqual(content.count(b"\n"), content.count(b"\r\n"))
        self.assertEqual(content.count(b"\r"), content.count(b"\r\n"))
        self.assertLessEqual(max(map(len, content.split(b"\r\n"))), 998)
        self.assertEqual(len(list(read(content).iter_attachments())), len(files) - 1)

    def test_a_large_file_is_read_and_composed_quickly(self) -> None:
        file = {"content": base64.b64encode(bytes(range(256)) * 3000).decode(), "filename": "a.txt"}
        started_s = time.process_time()

        letter(attachments=[file])

        self.assertLess(time.process_time() - started_s, 2)

    def test_what_a_file_holds_is_in_no_repr(self) -> None:
        self.assertNotIn("QUJD", repr(Email(to="a@b.example", subject="", attachments=[Attachment("QUJD")])))

    def test_a_plain_mail_has_nothing_of_it(self) -> None:
        content = letter().content

        self.assertEqual(content, letter(attachments=[]).content)
        self.assertEqual(lines_of(content, "Content-Type"), ['Content-Type: text/plain; charset="utf-8"'])


if __name__ == "__main__":
    unittest.main()
