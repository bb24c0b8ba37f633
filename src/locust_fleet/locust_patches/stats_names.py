"""Limit the names and failures in the statistics; the rest counts as ``(other)``.

Locust 2.47.0 keeps an entry for every name (``stats.EntriesDict.__missing__``) and for every
failure (``stats.RequestStats.log_error``) during the whole run: a scenario with ids in its names,
or a server with ids in its messages, fills the master's memory.

It also accepts any object as a name. A lone surrogate, as of a truncated emoji, cannot be sent: it
ends the worker's reporter. A name that is not text cannot be sorted, so pages and reports fail.
"""

from __future__ import annotations

from locust import stats
from locust.stats import EntriesDict, RequestStats, StatsEntry, StatsError

from collections.abc import Callable, Collection

from locust_fleet.locust_patches.patch import replace
from locust_fleet.protocol.histogram import OTHER, TWIN, TWINS

MOST_FAILURES = 1000
# A method is usually one of a few verbs, but a scenario may use any text.
MOST_METHODS_BEYOND = 100

# Locust's key of an entry: name and method.
Key = tuple[str, str]


def bound_names(most: int) -> None:
    """Keep at most so many names, and MOST_FAILURES failures, in this process's statistics."""
    add: Callable[[EntriesDict, Key], StatsEntry] = EntriesDict.__missing__
    log_error = RequestStats.log_error

    def add_bounded(entries: EntriesDict, key: Key) -> StatsEntry:
        twins = vars(entries).get(TWINS, 0)
        kept = bounded_key(entries, (as_text(key[0]), as_text(key[1])), most + twins)
        if kept == key:
            vars(entries)[TWINS] = twins + key[0].endswith(TWIN)
            return add(entries, key)
        other: StatsEntry = entries[kept]
        return other

    def log_bounded(
        statistics: RequestStats, method: str, name: str, error: Exception | str | None
    ) -> None:
        entry, errors = statistics.entries[name, method], statistics.errors
        full = len(errors) >= MOST_FAILURES
        if full and StatsError.create_key(entry.method, entry.name, error) not in errors:
            error = OTHER
        elif isinstance(error, str):
            error = as_text(error)
        log_error(statistics, entry.method, entry.name, error)

    replace(stats.EntriesDict, "__missing__", add_bounded)
    replace(stats.RequestStats, "log_error", log_bounded)


def as_text(part: object) -> str:
    """Return a name, a method or a message as valid text, which can be sent and sorted."""
    text = "" if part is None else str(part)
    return text.encode("utf-8", "replace").decode()


def bounded_key(known: Collection[Key], key: Key, most: int) -> Key:
    """Return the key under which a request counts: its own one, or one of ``(other)``.

    It keeps the number of keys to ``most``, apart from a few methods of ``(other)``, and twins.
    """
    if key in known or len(known) < most:
        return key
    # The twin of a name that has an entry gets its own entry, too.
    if key[0].endswith(TWIN) and (key[0].removesuffix(TWIN), key[1]) in known:
        return key
    other = (OTHER, key[1])
    if other in known or len(known) < most + MOST_METHODS_BEYOND:
        return other
    return OTHER, ""
