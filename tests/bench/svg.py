"""SVG elements as text: what plot.py draws with. Knows the card, shapes, colours, and nothing of what is measured."""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

# Dark on a light card of its own: a page's dark mode shows the card as it is. All pairs have a contrast over 4.5.
CARD, EDGE, GRID = "#ffffff", "#d0d7de", "#e4e8ec"
INK, MUTED = "#1f2328", "#59636e"
GOOD, SHORT, PLAIN = "#1a7f72", "#b35900", "#6e7781"
LINES = ("#0a6fc2", "#b35900")
FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"

WIDTH, LEFT, RIGHT = 830, 24, 806  # pixels: the card's, and where what is on it begins and ends
LINE = 20  # a row's height
SMALL = 12  # the usual size of what is not a title; the smallest is 11

Point = tuple[float, float]


def document(height: int, title: str, about: str, elements: Iterable[str]) -> str:
    """title and about are read out by screen readers."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-labelledby="title about" font-family={quoteattr(FONT)} font-size="14">'
    )
    named = f'<title id="title">{escape(title)}</title>\n<desc id="about">{escape(about)}</desc>'
    card = f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="{CARD}" stroke="{EDGE}"/>'
    return "\n".join([head, named, card, *elements, "</svg>"]) + "\n"


def text(at: Point, words: str, *, colour: str = INK, anchor: str = "start", size: int = 14, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    x, y = at
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}" font-size="{size}"{weight}>'
        f"{escape(words)}</text>"
    )


def bar(at: Point, width: float, height: float, colour: str) -> str:
    x, y = at
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" fill="{colour}"/>'


def tip(at: Point, height: float, colour: str, *, is_right: bool) -> str:
    """The head of an arrow, set apart from the bar's end: the bar would go on. at: that end's upper corner."""
    (x, y), way = at, 1 if is_right else -1
    points = ((x + 3 * way, y), (x + 10 * way, y + height / 2), (x + 3 * way, y + height))
    return f'<polygon points="{" ".join(f"{px:.1f},{py:.1f}" for px, py in points)}" fill="{colour}"/>'


def rule(start: Point, end: Point, colour: str = GRID) -> str:
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
        f'stroke="{colour}" stroke-width="1"/>'
    )


def curve(points: Sequence[Point], colour: str) -> str:
    """A line through the points, each with a dot."""
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points)
    return f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2.5"/>{dots}'
