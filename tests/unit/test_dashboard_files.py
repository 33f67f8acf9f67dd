"""The files of the dashboard, read as text: what they must not do, how large they are, and that they fit together."""

import gzip
import re
import unittest
from pathlib import Path

from lib.api.dashboard import travelling

FOLDER = Path(__file__).resolve().parents[2] / "lib" / "dashboard"
KINDS = (".html", ".css", ".js", ".svg")
FILES = {
    path.relative_to(FOLDER).as_posix(): path.read_text("utf-8") for path in FOLDER.rglob("*") if path.suffix in KINDS
}
SCRIPTS = {name: text for name, text in FILES.items() if name.endswith(".js")}
PAGE = FILES["index.html"]
FORBIDDEN = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc",
    r"\beval\b|new Function|setTimeout\(\s*[\"'`]|javascript:",
    r"\bstyle\s*[:=]\s*[\"'`{]|setAttribute\([\"']style",
    r"\bon(click|error|load|submit|input|change)\s*=",
    r"\bdocument\.cookie\b",
)
MOST_BYTES = 370_000
MOST_GZIPPED = 140_000  # What travels, if one opens every page.
MOST_FILES = 57
MOST_LINES = 320


class Files(unittest.TestCase):
    def test_no_file_makes_markup_or_code_of_text_or_has_styles_in_attributes(self) -> None:
        for name, text in FILES.items():
            if not name.endswith((".js", ".html")):
                continue
            for pattern in FORBIDDEN:
                self.assertIsNone(re.search(pattern, text), f"{name} has {pattern}")

    def test_no_address_of_another_host_but_the_name_of_svg(self) -> None:
        for name, text in FILES.items():
            # Comments name the standards, and an example of a payload has an address that nobody asks for.
            code = re.sub(r"^\s*(//|\*|/\*).*$", "", text, flags=re.MULTILINE)
            found = set(re.findall(r"(?:https?:)?//[a-z][\w.-]*\.[a-z]+[^\"'\s)]*", code))

            self.assertLessEqual(found, {"http://www.w3.org/2000/svg", "https://example.com/hooks/orders"}, name)

    def test_all_together_are_small(self) -> None:
        sent = [travelling(text.encode()) for text in FILES.values()]

        self.assertLess(sum(map(len, sent)), MOST_BYTES)
        self.assertLess(sum(len(gzip.compress(content)) for content in sent), MOST_GZIPPED)
        self.assertLess(len(FILES), MOST_FILES)

    def test_what_is_sent_lacks_comments_and_indentation_alone(self) -> None:
        for name, text in SCRIPTS.items():
            # Else the indentation of a text would be lost, or a line of it be taken for a comment.
            self.assertEqual([], [line for line in text.splitlines() if line.count("`") % 2], name)
            lines = travelling(text.encode()).decode().split("\n")
            self.assertEqual(len(text.split("\n")), len(lines), name)
            for line, sent in zip(text.split("\n"), lines, strict=True):
                self.assertTrue(line.strip().startswith(sent), name)
                left = line.strip().removeprefix(sent)
                self.assertRegex(left, r"""^$| +// [^"'`]*$""" if sent else r"^($|//|/?\*)", f"{name}: {line}")

    def test_lines_and_files_are_short(self) -> None:
        for name, text in FILES.items():
            lines = text.splitlines()

            self.assertLess(len(lines), MOST_LINES, name)
            self.assertEqual([], [line for line in lines if len(line) > 120], name)

    def test_every_icon_is_there_and_every_one_is_used(self) -> None:
        there = re.findall(r'<symbol id="i-([a-z]+)"', PAGE)
        texts = "\n".join(SCRIPTS.values())
        words = {*re.findall(r'"([a-z]+)"', texts), *re.findall(r'href="#i-([a-z]+)"', PAGE)}
        named = {
            *re.findall(r'\bicon\(\s*"([a-z]+)"', texts),
            *re.findall(r'\bglyph: "([a-z]+)"', texts),
            *re.findall(r'\bhollow\(\s*"([a-z]+)"', texts),
            *re.findall(r'href="#i-([a-z]+)"', PAGE),
        }

        self.assertEqual(len(there), len(set(there)))
        self.assertEqual(set(), named - set(there))
        # A job's state has the icon of its name.
        states = {"ready", "active", "delayed", "blocked", "completed", "dead", "cancelled", "retried"}
        self.assertEqual(set(), set(there) - words - states)
        self.assertLessEqual(states, set(there))

    def test_every_module_that_is_imported_is_there_and_every_one_is_imported(self) -> None:
        imported = {"app.js"}
        for name, text in SCRIPTS.items():
            code = re.sub(r"^//.*$", "", text, flags=re.MULTILINE)
            for path in re.findall(r'(?:from|import\() ?"(\.[^"]+)"', code):
                imported.add((FOLDER / name).parent.joinpath(path).resolve().relative_to(FOLDER).as_posix())
        pages = re.findall(r'^(?:const ROUTES = \[)?\s*\["/[^"]*", "(\w+)"\]', SCRIPTS["app.js"], re.MULTILINE)
        routed = {f"pages/{page}.js" for page in pages}

        self.assertIn("pages/overview.js", routed)
        self.assertEqual(set(SCRIPTS), imported | routed)

    def test_every_class_that_has_a_style_is_one_that_a_script_or_the_page_gives(self) -> None:
        styles = re.sub(
            r"/\*.*?\*/", "", "\n".join(text for name, text in FILES.items() if name.endswith(".css")), flags=re.S
        )
        styled = {name for heads in re.findall(r"([^{}]+)\{", styles) for name in re.findall(r"\.([a-z][\w-]*)", heads)}
        code = "\n".join([PAGE, *(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE) for text in SCRIPTS.values())])
        given = set(re.findall(r"[a-z][\w-]*", code))
        made = {name for name in styled if f"{name.rpartition('-')[0]}-${{" in code}  # class: `run-${state}`

        self.assertEqual(set(), styled - given - made)

    def test_every_name_that_is_exported_is_used_elsewhere(self) -> None:
        tests = "\n".join(path.read_text("utf-8") for path in (FOLDER.parents[1] / "tests" / "browser").glob("*.py"))
        for name, text in SCRIPTS.items():
            for export in re.findall(r"^export (?:async )?(?:const|function|class) (\w+)", text, re.MULTILINE):
                others = [other for file, other in SCRIPTS.items() if file != name]
                is_page = export == "page" and name.startswith("pages/")

                self.assertTrue(is_page or any(re.search(rf"\b{export}\b", one) for one in [*others, tests]), export)

    def test_what_the_page_loads_first_is_there(self) -> None:
        for path in re.findall(r'(?:href|src)="(dashboard/[^"]+|favicon.svg)"', PAGE):
            self.assertIn(path.removeprefix("dashboard/"), FILES)

    def test_a_place_is_shown_if_its_page_is_there(self) -> None:
        patterns = re.findall(r'\["(/[^"]*)", "\w+"\]', SCRIPTS["app.js"])
        for place, hidden in re.findall(r'<a href="#(/\w*)"( hidden)?>', PAGE):
            self.assertEqual(place in patterns, not hidden, place)
        self.assertEqual("/jobs" in patterns, 'role="search" hidden' not in PAGE)

    def test_every_colour_is_a_pair_and_each_token_is_defined(self) -> None:
        styles = "\n".join(text for name, text in FILES.items() if name.endswith(".css"))
        defined = set(re.findall(r"^\s*(--[\w-]+):", styles, re.MULTILINE))

        self.assertLessEqual(set(re.findall(r"var\((--[\w-]+)", styles)), defined)
        alone = re.sub(r"light-dark\((?:[^()]|\([^()]*\))*\)", "", styles)
        # The orange of the logo, and the knob of a switch, are the same in both.
        self.assertLessEqual(set(re.findall(r"#[0-9a-f]{3,6}\b(?=[;, )])", alone)), {"#e2562a", "#fff"})


if __name__ == "__main__":
    unittest.main()
