"""The keys of API_KEYS, read anew while the server runs: at SIGHUP, by each of its processes.

What is wrong then changes nothing: the keys from before stay good, and the log says what is wrong. A key is known by
its id, and never shown.
"""

from collections.abc import Callable, Iterable

from lib.errors import ConfigError
from lib.logs.log import Log
from lib.settings.api_keys import ApiKey


class KeyRing:
    """read: gives the keys as the settings have them now, or raises ConfigError. use: is told of each new set.

    is_spokesman: whether this process says what has changed; of several that read the same, one does.
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
        """Whether they could be read."""
        try:
            keys = self._read()
        except ConfigError as fault:
            said = "; ".join(fault.faults)
            self._log.error("keys.refused", f"The keys were read anew and are not well; those from before stay: {said}")
            return False
        if self._keys and not keys:
            msg = "The keys were read anew and none is left, so that anyone might do anything; those from before stay"
            self._log.error("keys.refused", f"{msg}. Restart the server if that is meant")
            return False
        before, self._keys = self._keys, keys
        self._use(keys)
        if self._is_spokesman:
            self._tell(before)
        return True

    def _tell(self, before: tuple[ApiKey, ...]) -> None:
        added = [_named(key) for key in self._keys if key not in before]
        removed = [_named(key) for key in before if key not in self._keys]
        changes = [f"{what} {', '.join(names)}" for what, names in (("now", added), ("no more", removed)) if names]
        msg = f"The keys were read anew: {'; '.join(changes) or 'nothing has changed'}"
        self._log.info("keys.reread", msg, added=added, removed=removed)


def _named(key: ApiKey) -> str:
    return f"{key.name} ({key.scope}, {key.key_id})"
