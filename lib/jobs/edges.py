"""What a job knows of the jobs that it waits for: an edge for each, read from the text that Redis' scripts give.

    edges_from("c.email-01… fetch,fdemail-02… ")
    -> (KnownEdge("c", ".", "email-01…", "fetch"), KnownEdge("f", "d", "email-02…", ""))

An edge has a rule and a mark, a letter each. The rule says what the parent must do, so that its follower runs; the mark
says what is known of the parent. Together they give the edge's class, by which the follower is judged
(lib/queue/lua/parts/ has the same table in Lua). Pure.

    rule   c the parent completes | e it ends | f it fails | o its workflow is open
           | a the anchor, which decides that the graph runs, is there
           and, of a workflow's own edges to its members: m must complete | n may fail
    mark   . not known yet | c completed | d dead | x cancelled, for one of its own parents failed | k cancelled by a
           person, or with its workflow | s skipped: what it was to run for did not come about | g gone | o open
"""

from typing import Final, Literal, NamedTuple

EdgeClass = Literal["open", "lost", "cut", "bad", "off", "ok"]
CLASSES: Final[tuple[EdgeClass, ...]] = ("open", "lost", "cut", "bad", "off", "ok")
"""By rank: a word about a parent counts only if its class stands behind that of what is known already."""
OF_ANCHOR: Final = "oa"
"""The rules by which a job waits until its graph begins. Its anchor tells it that, and not its own end."""
OF_MEMBERS: Final = "mn"
"""The rules of a workflow's edges to its members. All other rules are those of a job that waits for its parents."""
CALLBACK: Final = "!callback"
"""Stands among the ids of a job's followers where its end is told to a callback_url, and is no id itself."""
OUTCOMES: Final = {
    "c": "completed",
    "d": "failed",
    "x": "cancelled",
    "k": "cancelled",
    "s": "skipped",
    "g": "gone",
}
"""Mark -> the word for it in the API's `after[].outcome` and in a handler's results. Other marks have none: null."""

_COMPLETES: Final[dict[str, EdgeClass]] = {"c": "ok", "d": "bad", "x": "bad", "k": "cut", "s": "off"}
_ENDS: Final[dict[str, EdgeClass]] = dict.fromkeys("cdxks", "ok")
_FAILS: Final[dict[str, EdgeClass]] = {"d": "ok", "x": "ok", "c": "off", "k": "off", "s": "off"}
_OPENS: Final[dict[str, EdgeClass]] = {"o": "ok", "k": "cut", "s": "off"}
_BY_RULE: Final = {"c": _COMPLETES, "m": _COMPLETES, "e": _ENDS, "n": _ENDS, "f": _FAILS, "o": _OPENS, "a": _OPENS}


class KnownEdge(NamedTuple):
    """One edge, and what is known of the parent at its other end.

    name: by which the follower knows the parent, "" for none; of a member of a workflow "<place>/<name>"."""

    rule: str
    mark: str
    parent_id: str
    name: str

    @property
    def class_name(self) -> EdgeClass:
        return class_of(self.rule, self.mark)

    @property
    def shown_name(self) -> str:
        """The name that people gave: `fetch`, of a member of a workflow as well; "" for none."""
        return self.name.partition("/")[2] if self.rule in OF_MEMBERS else self.name


def class_of(rule: str, mark: str) -> EdgeClass:
    """What a mark means under a rule. A mark that makes no sense there counts as bad."""
    if mark == ".":
        return "open"
    if mark == "g":
        return "lost"
    return _BY_RULE.get(rule, {}).get(mark, "bad")


def edges_from(text: str) -> tuple[KnownEdge, ...]:
    """The edges of one job. text: `<rule><mark><parent's id> <name>` for each, joined by commas; "" for no edges."""
    return tuple(_edge(one) for one in text.split(",")) if text else ()


def _edge(text: str) -> KnownEdge:
    head, _, name = text.partition(" ")
    return KnownEdge(head[:1], head[1:2], head[2:], name)
