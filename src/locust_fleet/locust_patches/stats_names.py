"""Bound how many names and failures the statistics tell apart; the rest is ``(other)``.

Locust 2.47.0 keeps an entry for every name (``stats.EntriesDict.__missing__``) and one for every
failure (``stats.RequestStats.log_error``) as long as a run lasts: a scenario that puts an id into
its names, or a server that puts one into its messages, fills the memory of the master.

It also takes anything for a name. Half a surrogate pair, as a cut emoji leaves it, cannot be sent:
the worker's reporter dies of it. What is no text cannot be sorted, so pages and reports fail.
"""

from __future__ import annotations

from locust import stats
from locust.stats import EntriesDict, RequestStats, StatsEntry, StatsError

from collections.abc import Callable, Collection

from locust_fleet.locust_patches.patch import replace
from locust_fleet.protocol.histogram import OTHER, TWIN, TWINS

MOST_FAILURES = 1000
# A method is one of a few verbs, but a scenario may send anything.
MOST_METHODS_BEYOND = 100

# As in Locust: name and method.
Key = tuple[str, str]


def bound_names(most: int) -> None:
    """From now on, keep at most so many names and MOST_FAILURES failures in this process."""
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
    """Return a name, a method or a message as text that can be sent and sorted."""
    text = "" if part is None else str(part)
    return text.encode("utf-8", "replace").decode()


def bounded_key(known: Collection[Key], key: Key, most: int) -> Key:
    """Return the key that a request is counted under, so that not many more than most are known."""
    if key in known or len(known) < most:
        return key
    # The times from the intended start are of a name that is told apart already.
    if key[0].endswith(TWIN) and (key[0].removesuffix(TWIN), key[1]) in known:
        return key
    other = (OTHER, key[1])
    if other in known or len(known) < most + MOST_METHODS_BEYOND:
        return other
    return OTHER, ""
