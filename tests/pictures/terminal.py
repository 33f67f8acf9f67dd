"""Texts of consoles as a page that looks like terminals, one below the other.

page([("python server.py", "2026-11-30T… INFO Server started: http://127.0.0.1:8000\\n")], marks=["order-4711"])
"""

import html
import re
from collections.abc import Sequence

STYLE = """
body { margin: 0; padding: 20px; background: #14171d; display: grid; gap: 16px; }
section { border: 1px solid #343a46; border-radius: 10px; overflow: hidden; background: #0c0e12; }
h2 { margin: 0; padding: 7px 14px; background: #1b2029; color: #aab3c2; font: 600 12px Inter, sans-serif; }
pre { margin: 0; padding: 12px 14px; color: #d6dae2; font: 12px/1.55 "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
b { font-weight: 400; color: #f0b65c; } u { text-decoration: none; color: #ff8080; }
mark { white-space: nowrap; background: #2b3a66; color: #c9d3ff; border-radius: 3px; }
kbd { font: inherit; color: #4fc78f; }
"""
SHADES = ((re.compile(r"\bWARNING\b"), "b"), (re.compile(r"\bERROR\b"), "u"), (re.compile(r"^\$ .*$", re.M), "kbd"))


def page(texts: Sequence[tuple[str, str]], marks: Sequence[str] = ()) -> str:
    """HTML of (title, text) pairs. marks: the words that are marked in them."""
    sections = "".join(
        f"<section><h2>{html.escape(title)}</h2><pre>{_painted(text, marks)}</pre></section>" for title, text in texts
    )
    return f"<!doctype html><meta charset=utf-8><title>Waybill</title><style>{STYLE}</style>{sections}"


def _painted(text: str, marks: Sequence[str]) -> str:
    painted = html.escape(text.rstrip("\n"), quote=False)
    for mark in marks:
        painted = painted.replace(html.escape(mark, quote=False), f"<mark>{mark}</mark>")
    for pattern, tag in SHADES:
        painted = pattern.sub(rf"<{tag}>\g<0></{tag}>", painted)
    return painted
