"""API_KEYS, read anew at SIGHUP while the server runs, by each of its processes.

If the setting is broken or empty by then, the keys from before stay good, and the log says what is wrong. The log names
a key as `ops (admin, 1f3a9c0e)`, by its owner, scope and id; the key itself is never shown.
"""

from collections.abc import Callable, Iterable

from lib.errors import ConfigError
from lib.logs.log import Log
from lib.settings.api_keys import ApiKey


class KeyRing:
    """The keys that are good now.

    read: gives the keys as the settings have them now, or raises ConfigError. use: called with each new set of keys.
    is_spokesman: whether this process logs which keys are new or gone. Of several processes one does.
    """

    def __init__(
        self,
        keys: Iterable[ApiKey],
        read: Callable[[], tuple[ApiKey, ...]],
        log: Log,
        *,
        is_spokesman: bool = True,
        use: Callable[[tuple[ApiKey, ...]], object] = lambda keys: None,
    ) -> None:
        self._keys = tuple(keys)
        self._read = read
        self._log = log
        self._is_spokesman = is_spokesman
        self._use = use

    def reread(self) -> bool:
        """Read the keys anew. False where the keys from before stay."""
        try:
            keys = self._read()
        except ConfigError as fault:
            faults = "; ".join(fault.faults)
            msg = f"The keys were read anew and are not well; those from before stay: {faults}"
            self._log.error("keys.refused", msg)
            return False
        if self._keys and not keys:
            msg = "The keys were read anew and none is left, so that anyone might do anything; those from before stay"
            self._log.error("keys.refused", f"{msg}. Restart the server if that is meant")
            return False
        before, self._keys = self._keys, keys
        self._use(keys)
        if self._is_spokesman:
            self._log_changes(before)
        return True

    def _log_changes(self, before: tuple[ApiKey, ...]) -> None:
        added = [_named(key) for key in self._keys if key not in before]
        removed = [_named(key) for key in before if key not in self._keys]
        changes = [f"{what} {', '.join(names)}" for what, names in (("now", added), ("no more", removed)) if names]
        msg = f"The keys were read anew: {'; '.join(changes) or 'nothing has changed'}"
        self._log.info("keys.reread", msg, added=added, removed=removed)


def _named(key: ApiKey) -> str:
    return f"{key.name} ({key.scope}, {key.key_id})"
