"""Where records come from: a CSV file, a file of JSON lines, or a list in Redis."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from locust_fleet.errors import DataError

# All records of a source as JSON; Redis has 256 MB for everything.
MAX_BYTES = 32 << 20
# Records, or bytes of them, that are stored in one step.
CHUNK_RECORDS, CHUNK_BYTES = 1000, 256 << 10
REDIS = "redis:"
NAME = re.compile(r"[\w.-]{1,100}")
POLICIES = ("wait", "recycle", "stop")

WhenEmpty = Literal["wait", "recycle", "stop"]
ReadList = Callable[[str, int, int], Sequence[str]]


@dataclass(frozen=True)
class Source:
    """The name of a source, where its records are, and what happens when none is free."""

    name: str
    where: str
    when_empty: WhenEmpty

    def chunks(self, read_list: ReadList) -> Iterator[list[str]]:
        """Yield all records as JSON, in chunks; DataError names what is wrong and where."""
        chunk: list[str] = []
        size = total = 0
        for text in self._texts(read_list):
            chunk.append(text)
            size += len(text)
            total += len(text)
            if total > MAX_BYTES:
                raise DataError(
                    f"{self.where} has more than {MAX_BYTES >> 20} MB of records; use a part of it"
                )
            if len(chunk) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
        if chunk:
            yield chunk
        if not total:
            raise DataError(f"{self.where} has no records; add some for {self.name}")

    def check(self) -> None:
        """Raise DataError if the file is missing."""
        if not self.where.startswith(REDIS) and not Path(self.where).is_file():
            raise DataError(
                f"{self.where} of the source {self.name} is missing; put it beside the locustfile"
            )

    def _texts(self, read_list: ReadList) -> Iterator[str]:
        if self.where.startswith(REDIS):
            return _list_texts(self.where.removeprefix(REDIS), read_list)
        self.check()
        read = _csv_texts if self.where.endswith(".csv") else _json_texts
        return read(Path(self.where))


def source_of(name: object, where: object, when_empty: object, folder: Path) -> Source:
    """Return a source, whose file is relative to the folder; DataError says what is valid."""
    check_name("source", name)
    if when_empty not in POLICIES:
        raise DataError(f"when_empty of {name} is {when_empty!r}; use one of {', '.join(POLICIES)}")
    text = str(where)
    if not text.startswith(REDIS):
        if not text.endswith((".csv", ".jsonl")):
            raise DataError(
                f"the source {name} is {text!r}; use a .csv or .jsonl file, or redis:KEY for a list"
            )
        text = str(folder / text)
    return Source(str(name), text, when_empty)  # type: ignore[arg-type]


def check_name(kind: str, name: object) -> None:
    """Raise DataError unless ``name`` is valid for a ``kind`` such as "counter"."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DataError(
            f"the {kind} name {name!r} is invalid; use up to 100 letters, digits, _ . -"
        )


def _csv_texts(path: Path) -> Iterator[str]:
    with _opened(path) as file:
        rows = csv.DictReader(file, strict=True)
        try:
            for row in rows:
                if None in row or None in row.values():
                    raise DataError(
                        f"{path}, line {rows.line_num}: other columns than {rows.fieldnames};"
                        " quote what holds a comma"
                    )
                yield json.dumps(row, ensure_ascii=False)
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}, after line {rows.line_num}: {error}; use UTF-8 and close each quote"
            ) from error


def _json_texts(path: Path) -> Iterator[str]:
    with _opened(path) as file:
        number = 1
        try:
            for line in file:
                if line.strip():
                    yield json.dumps(json.loads(line), ensure_ascii=False)
                number += 1
        except ValueError as error:
            raise DataError(
                f"{path}, near line {number}: {error}; use a JSON value on each line, in UTF-8"
            ) from error


def _list_texts(key: str, read_list: ReadList) -> Iterator[str]:
    first = 0
    while elements := read_list(key, first, CHUNK_RECORDS):
        first += len(elements)
        for element in elements:
            yield _as_json(element)


def _as_json(element: str) -> str:
    """Return an element of a list as JSON: unchanged if it is JSON, else as a string."""
    try:
        return json.dumps(json.loads(element), ensure_ascii=False)
    except ValueError:
        return json.dumps(element, ensure_ascii=False)


def _opened(path: Path) -> TextIO:
    try:
        # Files of Excel begin with a byte order mark.
        return path.open(encoding="utf-8-sig", newline="")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
