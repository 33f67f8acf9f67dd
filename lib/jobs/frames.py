"""A traceback as text: the frames of a job's own code, bounded in length, and with no path of this host.

    File "reports/jobs.py", line 12, in report
      await send(page)
    … 3 frames left out
    File "aiosmtp/client.py", line 88, in send
      raise SMTPServerBusy(reply)

`File` is the path from the entry of sys.path that the module was imported from. Called by failure.py.
"""

import functools
import linecache
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, TracebackType
from typing import NamedTuple

MOST_WALKED = 5000
"""Frames that are gone through: more than Python's own limit of recursion."""
MOST_READ = 60
"""Frames whose source lines are read."""
CODE_CHARS = 160
GAP_CHARS = 30
"""Room that each frame leaves for a line "… 3 frames left out"."""

_OURS = f"{Path(__file__).parents[1]}/"
_HANDLERS = f"{_OURS}handlers/"
_PYTHONS = tuple(f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib"))


class Frame(NamedTuple):
    """One frame, as it is shown. is_own: its code belongs to the author of the job, and not to a library."""

    text: str
    is_own: bool


def traceback_words(traceback: TracebackType | None, most_chars: int) -> str:
    """The frames from the handler's down to the one that raised; "" if no code of a job was running.

    If they do not all fit into most_chars, the most telling stay, in this order: the handler's frame, the last one of
    the job's own code, the one that raised, other frames of the job's own code, and frames of libraries.
    """
    frames = _frames(traceback)
    numbers = range(len(frames))
    own = [number for number in numbers if frames[number].is_own]
    kept: set[int] = set()
    room = most_chars
    for number in dict.fromkeys((*numbers[:1], *own[-1:], *numbers[-1:], *reversed(own), *reversed(numbers))):
        room -= len(frames[number].text) + GAP_CHARS
        if room < 0 and kept:
            break
        kept.add(number)
    return "\n".join(_with_gaps(frames, kept))[:most_chars]


def _with_gaps(frames: list[Frame], kept: set[int]) -> Iterator[str]:
    left_out = 0
    for number, frame in enumerate(frames):
        if number not in kept:
            left_out += 1
            continue
        if left_out:
            yield f"… {left_out} frames left out"
        left_out = 0
        yield frame.text


def _frames(traceback: TracebackType | None) -> list[Frame]:
    """The frames, without those of Waybill's own code that called the handler."""
    places: list[tuple[CodeType, int]] = []
    walked = 0
    while traceback is not None and walked < MOST_WALKED:
        walked += 1
        code = traceback.tb_frame.f_code
        if places or not _is_ours(code.co_filename):
            places.append((code, traceback.tb_lineno or 0))
        traceback = traceback.tb_next
    if len(places) > MOST_READ:  # The code calls itself a thousand times, say.
        places = places[: MOST_READ // 2] + places[-MOST_READ // 2 :]
    return [_frame(code.co_filename, line, code.co_qualname) for code, line in places]


@functools.lru_cache(maxsize=1024)
def _frame(file: str, line: int, name: str) -> Frame:
    head = f'File "{_relative(file)}", line {line}, in {name[:CODE_CHARS]}'
    # Only a source is opened: code may be compiled under the name of any other file. linecache is not told to check
    # the file again: the lines that it read first are most likely those of the code that runs here.
    code = linecache.getline(file, line).strip()[:CODE_CHARS] if file.endswith(".py") else ""
    return Frame(f"{head}\n  {code}" if code else head, _is_own(file))


def _is_ours(file: str) -> bool:
    return file.startswith(_OURS) and not file.startswith(_HANDLERS)


def _is_own(file: str) -> bool:
    is_packaged = "site-packages" in file or "dist-packages" in file
    return not (is_packaged or _is_ours(file) or file.startswith(("<frozen", *_PYTHONS)))


def _relative(file: str) -> str:
    """The path from the entry of sys.path. Readers of a job have no business with the folders of this host."""
    path = Path(file)
    if not path.is_absolute():
        return file[-CODE_CHARS:]
    roots = sorted(
        {Path(root).absolute() for root in sys.path if isinstance(root, str)}, key=lambda root: -len(str(root))
    )
    root = next((root for root in roots if path.is_relative_to(root)), path.parent)
    return str(path.relative_to(root))[-CODE_CHARS:]
