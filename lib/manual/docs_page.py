"""openapi.yaml as one HTML page: every operation with its input, its answers and a curl, in the contract's order. Pure.

Every operation, answer and schema has an anchor, so that a browser's own search and links find them. The page shows the
parts of OpenAPI 3.1 that the contract uses. BASE ("{base}") stands in the page for the address by which its reader has
reached the server; api/manual.py fills it in.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from lib.manual import shell
from lib.manual.prose import escape, inline, paragraphs, table
from lib.manual.schema_page import References, schema_html
from lib.manual.shell import BASE

METHODS = ("get", "put", "post", "patch", "delete")

Node = dict[str, Any]
"""A mapping of the document: an operation, a parameter, a response."""


def page(document: Node, *, asks_for_key: bool = False) -> str:
    """The whole page. asks_for_key: the commands in it send a key. Raises KeyError where a $ref leads nowhere."""
    return _Page(document, shell.with_key if asks_for_key else str).html()


class _Page:
    """One page. add_key: what is done to each curl command, for a server that asks for a key."""

    def __init__(self, document: Node, add_key: Callable[[str], str]) -> None:
        self._document = document
        self._add_key = add_key
        self._references = References(document)
        self._operations = list(self._operations_in_order())

    def html(self) -> str:
        info = self._document["info"]
        parts = [
            f'<h1>{escape(info["title"])} <span class="soft">{escape(info["version"])}</span></h1>',
            f"<p>{inline(info['summary'])}</p>",
            '<nav aria-label="Operations">',
            *self._contents(),
            "</nav>",
            '<h2 id="about">About</h2>',
            paragraphs(self._about(info["description"])),
            '<h2 id="operations">Operations</h2>',
            *(self._operation(*one) for one in self._operations),
            '<h2 id="schemas">Schemas</h2>',
            *self._schemas(),
        ]
        return shell.page("API", "\n".join(parts))

    def _about(self, text: str) -> str:
        blocks = text.replace(self._document["servers"][0]["url"], BASE).split("\n\n")
        return "\n\n".join(map(self._add_key, blocks))

    def _operations_in_order(self) -> Iterator[tuple[str, str, Node, list[Node]]]:
        """("GET", "/api/jobs/{job_id}", the operation, its parameters): those of its path come first."""
        for path, item in self._document["paths"].items():
            for method in item:
                if method in METHODS:
                    given = [*item.get("parameters", []), *item[method].get("parameters", [])]
                    yield method.upper(), path, item[method], [self._references.follow(one) for one in given]

    def _contents(self) -> Iterator[str]:
        for tag in self._document["tags"]:
            rows = [
                f'<li><a href="#{operation["operationId"]}">{escape(operation["summary"])}</a>'
                f" {_signature(method, path)}</li>"
                for method, path, operation, _ in self._operations
                if tag["name"] in operation["tags"]
            ]
            yield f"<h3>{escape(tag['name'])}</h3>\n<p>{inline(tag['description'])}</p>"
            yield f'<ul class="contents">{"".join(rows)}</ul>'

    def _operation(self, method: str, path: str, operation: Node, parameters: list[Node]) -> str:
        name = operation["operationId"]
        parts = [
            f'<section class="operation" id="{name}">',
            f'<h3><a href="#{name}">{escape(operation["summary"])}</a></h3>',
            f"<p>{_signature(method, path)}</p>",
            paragraphs(operation["description"]),
            self._parameters(parameters),
            self._body(operation.get("requestBody")),
            "<h4>curl</h4>",
            *(
                shell.sample(self._add_key(command), f"curl: {operation['summary']}")
                for command in _curls(method, path, operation, parameters)
            ),
            "<h4>Answers</h4>",
            *(self._answer(name, status, node) for status, node in operation["responses"].items()),
            "</section>",
        ]
        return "\n".join(parts)

    def _parameters(self, parameters: list[Node]) -> str:
        rows = []
        for one in parameters:
            need = "required" if one.get("required") else "optional"
            example = f"<p>Example: <code>{escape(_plain(one['example']))}</code></p>" if "example" in one else ""
            about = schema_html(one["schema"], self._references)
            rows.append(
                [
                    f"<code>{escape(one['name'])}</code>",
                    f"{one['in']}, {need}",
                    f"{paragraphs(one.get('description', ''))}{about}{example}",
                ]
            )
        return "<h4>Parameters</h4>\n" + table(["Name", "Where", "What"], rows) if rows else ""

    def _body(self, body: Node | None) -> str:
        if body is None:
            return ""
        parts = [f"<h4>Body</h4>\n{paragraphs(body.get('description', ''))}"]
        for media_type, media in body["content"].items():
            parts.append(f"<p><code>{escape(media_type)}</code></p>")
            parts.append(schema_html(media["schema"], self._references))
            parts.extend(self._examples(media))
        return "\n".join(parts)

    def _answer(self, operation: str, status: str, node: Node) -> str:
        response = self._references.follow(node)
        words = "Any other" if status == "default" else status
        parts = [f'<details id="{operation}-{status}"><summary><strong>{words}</strong></summary>']
        parts.append(paragraphs(response["description"]))
        headers = [
            [
                f"<code>{escape(name)}</code>",
                paragraphs(header.get("description", "")) + schema_html(header["schema"], self._references),
            ]
            for name, header in (
                (name, self._references.follow(one)) for name, one in response.get("headers", {}).items()
            )
        ]
        if headers:
            parts.append(table(["Header", "What"], headers))
        for media_type, media in response.get("content", {}).items():
            parts.append(f"<p><code>{escape(media_type)}</code></p>")
            parts.append(schema_html(media["schema"], self._references))
            parts.extend(self._examples(media))
        parts.append("</details>")
        return "\n".join(parts)

    def _examples(self, media: Node) -> Iterator[str]:
        if "example" in media:
            yield shell.sample(_shown(media["example"]), "Example")
        for name, reference in media.get("examples", {}).items():
            example = self._references.follow(reference)
            summary = escape(example.get("summary", name))
            sample = shell.sample(_shown(example["value"]), f"Example: {example.get('summary', name)}")
            yield f"<details><summary>Example: {summary}</summary>\n{sample}\n</details>"

    def _schemas(self) -> Iterator[str]:
        for name, schema in self._document["components"]["schemas"].items():
            yield f'<section id="schema-{name}"><h3><a href="#schema-{name}">{escape(name)}</a></h3>'
            yield schema_html(schema, self._references)
            yield "</section>"


def _signature(method: str, path: str) -> str:
    return f'<span class="method {method}">{method}</span> <code>{escape(path)}</code>'


def _curls(method: str, path: str, operation: Node, parameters: list[Node]) -> Iterator[str]:
    """A curl command for each example of a body; one command for an operation without examples."""
    for one in parameters:
        if one["in"] == "path":
            path = path.replace("{" + one["name"] + "}", _plain(one["example"]))
        elif one["name"] == "for_s":
            # The stream of events has no end, so the command asks for one.
            path += f"?for_s={_plain(one['example'])}"
    words = ["curl -i" if method in ("GET", "POST") else f"curl -i -X {method}", _quoted(BASE + path)]
    bodies = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
    if method == "POST" and not bodies:
        words[0] = "curl -i -X POST"
    if not bodies:
        yield " ".join(words)
    for example in bodies.values():
        body = _quoted(json.dumps(example["value"], ensure_ascii=False))
        yield f"{' '.join(words)} -H 'Content-Type: application/json' \\\n     -d {body}"


def _quoted(text: str) -> str:
    """The text as one word for a POSIX shell, in single quotes if it has characters that mean something to a shell."""
    is_plain = all(character.isalnum() or character in "{}:/._-" for character in text)
    return text if is_plain else "'" + text.replace("'", "'\\''") + "'"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
