"""`python server.py --new-key NAME --scope read`: makes an API key and prints it, and the entry for API_KEYS.

Two lines go to stdout: the key itself, shown this once, and `API_KEYS=<entry>` with the key's hash. Nothing is written
anywhere and no settings are read: the key works once its entry is in API_KEYS and the servers were started again.
"""

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

from lib.settings import api_keys

_ADVICE = """\
The first line is the key: it is shown this once, keep it where secrets are kept. The second goes into the settings of
every server (entries of API_KEYS are parted by commas), which are then started again. Try it:
  curl -H "Authorization: Bearer $KEY" http://127.0.0.1:8000/api/health
"""


def run(arguments: Sequence[str]) -> int:
    """Run `server.py` with these command-line arguments: print the two lines. Returns 0, or exits with 2 (argparse)."""
    parser = argparse.ArgumentParser(
        prog="server.py",
        description="Without arguments: take jobs over HTTP, as the settings say. With --new-key: make an API key.",
        allow_abbrev=False,
    )
    parser.add_argument("--new-key", metavar="NAME", required=True, help="who the key is for; two keys may share it")
    parser.add_argument("--scope", choices=api_keys.SCOPES, required=True, help="each includes those before it")
    parser.add_argument("--expires", default="", metavar="WHEN", help="2027-01-31 (to its end, UTC) or a moment of it")
    asked = parser.parse_args(arguments)
    try:
        key, entry = api_keys.new_key(asked.new_key, asked.scope, asked.expires, secrets.choice)
    except ValueError as fault:
        parser.error(f"what would stand in API_KEYS {fault}")
    if asked.expires and api_keys.expiry_s(asked.expires) <= time.time():
        parser.error(f"--expires {asked.expires} is in the past: the key would never be good")
    sys.stdout.write(f"{key}\nAPI_KEYS={entry}\n")
    sys.stdout.flush()
    sys.stderr.write(_ADVICE)
    return 0
