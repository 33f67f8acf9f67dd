"""Who may change where a job stands: each list and index that holds ids of jobs is written by the files named here.

The next features hang on these places: what is to happen whenever a job ends, runs, waits or is made has one file each.
A file that is missing here goes past them. To name one more is a decision: read what the owner does for the others.
"""

import unittest
from collections import defaultdict

from lib.queue.scripts import FOLDER, fragments_of, script_paths
from tests.unit.queue.lua_fields import arguments
from tests.unit.queue.lua_names import tokens_of

WRITING = {
    *("LPUSH", "RPUSH", "LPOP", "RPOP", "LREM", "LTRIM", "LSET", "LINSERT", "LMOVE", "RPOPLPUSH", "RENAME", "COPY"),
    *("ZADD", "ZREM", "ZINCRBY", "ZPOPMIN", "ZPOPMAX", "ZREMRANGEBYSCORE", "ZREMRANGEBYRANK", "SORT", "DEL", "UNLINK"),
}

# A key as the Lua writes it -> who writes it, by file: what.
PLACES = {
    # The ready lists, `suspects` and the lines of groups: ids get there by `push` of lines.lua, whose command is an
    # argument (PUSHING), and are taken by claims. What is no list is renamed. `bell` wakes a runner, and is no job.
    "base .. list": "lines:RENAME claiming:LTRIM claiming:RPOPLPUSH turns:RENAME turns:RPOPLPUSH",
    "base .. 'suspects'": "ration:LREM",
    "base .. bell_list": "bell:LPUSH",
    "before_list": "adjust:LPUSH",
    # Which line is next, and which groups are stopped.
    "base .. 'turns:' .. priority": "lines:ZADD lines:ZREM turns:ZREM mend_group:ZREM",
    "turns": "turns:ZADD turns:ZREM turns:UNLINK",
    "base .. 'resting'": "lines:ZADD lines:ZREM mend_group:ZADD mend_group:ZREM",
    "base .. 'groups'": "lines:ZADD mend:ZADD mend_group:ZREM",
    # A runner's active list.
    "active_list": "claiming:LPUSH claiming:LREM ration:LPUSH reap:LREM",
    "base .. 'active:' .. runner": "end_attempts:LREM callback:LREM remove:UNLINK",
    "list": "active_list:LREM active_list:LTRIM active_list:RPUSH",
    # The indexes. `state` is one that has ended.
    "base .. state": "conclude:ZADD revive:ZREM verdict:ZREM forget:ZREM",
    "base .. 'blocked'": "block:ZADD unblock:ZREM",
    "base .. 'outside'": "hand_over:ZADD callback:ZADD outside:ZREM",
    "base .. 'unsure'": "block:ZADD unblock:ZREM cancel:ZADD asking:ZADD asking:ZREM",
    "base .. 'delayed'": "take_in:ZADD delay:ZADD patch:ZADD patch:ZREM take_out:ZREM change_in_place:ZREM "
    "promote_due:ZREM",
    "base .. 'all'": "take_in:ZADD forget:ZREM",
    # When something happens to a job by itself.
    "base .. 'expiring'": "take_in:ZADD unbegun:ZADD change_in_place:ZADD change_in_place:ZREM expire:ZREM gate:ZREM",
    # The indexes of tags.
    "base .. 'fading'": "conclude:ZADD revive:ZREM verdict:ZREM forget:ZREM trim:ZREM",
}
# Keys that hold no ids of jobs, or not the place of one.
OTHERS = {
    *("base", "moved", "unpack", "base .. ARGV"),
    # Numbers over time.
    *("minute_key", "base .. 'times:' .. digits", "base .. 'rollups'", "base .. 'errors:' .. digits"),
    *(
        "base .. post",
        "base .. 'graves'",
        "base .. 'epitaphs'",
        "base .. 'vitals'",
        "base .. 'quarantine'",
        "base .. 'log:' .. id",
    ),
    # A rate's window, keys that somebody broke, and what a removed queue leaves behind.
    *("key", "base .. name", "base .. name .. group", "base .. 'running:'"),
    # Schedules, which are no jobs.
    *("base .. 'slots'", "schedule_key"),
}

# Which of the owners each script needs: through them alone a job is made, waits, runs, ends and is forgotten.
OWNERS = {
    "enqueue": "block conclude ready_list take_in unblock",
    "fire": "block ready_list take_in unblock",
    "claim": "conclude hand_out make_ready ready_list",
    "ration": "conclude hand_out make_ready ready_list",
    "finish": "conclude",
    "fail": "conclude delay",
    "snooze": "conclude delay",
    "hand_over": "block conclude unblock",
    "callback": "conclude delay unblock",
    "overdue": "conclude make_ready ready_list unblock",
    "release": "conclude give_back make_ready ready_list",
    "reap": "conclude give_back make_ready ready_list",
    "cancel": "conclude ready_list unblock",
    "expire": "conclude ready_list unblock",
    "plant": "block ready_list take_in unblock",
    "resolve": "block conclude delay give_back make_ready ready_list unblock",
    "promote": "make_ready ready_list",
    "retry": "block conclude make_ready ready_list unblock",
    "patch": "delay make_ready ready_list",
    "explain": "ready_list",
    "delete": "forget",
    "trim": "forget",
}
PUSHING = {"lines", "claiming", "give_back", "make_ready", "reap", "take_in"}
OWNING = frozenset(name for names in OWNERS.values() for name in names.split())


def writes() -> dict[str, set[str]]:
    """Key -> `file:COMMAND` of every command that writes there; of a key that a function gives, the function."""
    found = defaultdict[str, set[str]](set)
    for path in FOLDER.rglob("*.lua"):
        tokens = tokens_of(path.read_text(encoding="utf-8"))
        for at, token in enumerate(tokens[:-1]):
            if token in ("call", "pcall") and tokens[at + 1] == "(":
                command, *keys = arguments(tokens, at + 1)
                if (name := command[0].strip("'")) in WRITING:
                    found[_key(keys[0])].add(f"{path.stem}:{name}")
    return found


def _key(tokens: list[str]) -> str:
    """The tokens of a key, up to the first bracket: `base .. ready_list (priority, …)` is `base .. ready_list`."""
    ends = [tokens.index(mark) for mark in ("(", "[") if mark in tokens]
    return " ".join(tokens[: min(ends, default=len(tokens))])


class Owners(unittest.TestCase):
    def test_each_place_of_a_job_is_written_by_its_owners_alone(self) -> None:
        found = {key: files for key, files in writes().items() if key not in OTHERS}

        self.assertEqual({key: set(files.split()) for key, files in PLACES.items()}, found)

    def test_ids_get_into_ready_lists_and_lines_by_one_function(self) -> None:
        """`push` gives a line that was empty its turn."""
        users = {path.stem for path in FOLDER.rglob("*.lua") if "push" in tokens_of(path.read_text(encoding="utf-8"))}

        self.assertEqual(PUSHING, users)

    def test_each_script_goes_through_the_owners_that_it_needs(self) -> None:
        found = {
            name: " ".join(sorted(OWNING & fragments_of(path.read_text(encoding="utf-8")).keys()))
            for name, path in script_paths().items()
        }

        self.assertEqual(OWNERS, {name: owners for name, owners in found.items() if owners})


if __name__ == "__main__":
    unittest.main()
