"""What commands print: tables on a terminal, JSON lines in a pipe or when asked for."""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

Row = Mapping[str, Any]

_RIGHT: Final = (int, float)
_PAGE_ROWS: Final = 500


def on_terminal() -> bool:
    """Whether people read standard output as it comes."""
    return sys.stdout.isatty()


def end_output() -> None:
    """Discard what cannot be written: at its end the interpreter would try, and complain, again."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Output:
    """Standard output, as tables or as JSON lines (a JSON object for each row)."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json or not on_terminal()

    def rows(self, rows: Iterable[Row], *, empty: str = "") -> None:
        """Print rows that have the same keys. On a terminal `empty` is said if there are none."""
        rows = list(rows)
        if self.as_json:
            for row in rows:
                print_json(row)
        elif rows:
            _print_table(rows)
        elif empty:
            print(empty, file=sys.stderr)

    def stream(self, rows: Iterable[Row]) -> None:
        """Print rows that may be too many to gather: on a terminal as several tables."""
        some = iter(rows)
        while page := list(islice(some, _PAGE_ROWS)):
            self.rows(page)

    def row(self, row: Row) -> None:
        """Print one thing: its keys and values below each other on a terminal."""
        if self.as_json:
            print_json(row)
        else:
            width = max(map(len, row), default=0)
            for key, value in row.items():
                print(f"{_title(key):<{width}}  {shown(value)}")


def print_json(row: Row) -> None:
    """Print a JSON object on a line of its own."""
    text = json.dumps(row, ensure_ascii=False, default=_plain)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        # A path that is no text, or a terminal or locale without these letters.
        text = json.dumps(row, default=_plain)
    print(text)


def _plain(value: object) -> str:
    return exact_time(value) if isinstance(value, datetime) else str(value)


def exact_time(moment: datetime) -> str:
    """A time as programs read it, in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def shown(value: object) -> str:
    """A value in a table: numbers with separators, None as a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}" if isinstance(value, float) else readable(str(value))


def readable(text: str) -> str:
    """Text as it is unless it could play tricks on a terminal; then it is quoted."""
    if text.isprintable():
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    # JSON leaves other controls than ASCII's as they are, and changes of direction.
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in quoted)


def _title(key: str) -> str:
    return key.replace("_", " ")


def _print_table(rows: list[Row]) -> None:
    from rich.table import Table
    from rich.text import Text

    from tapemq_broker.cli.rich_console import console

    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for key, value in rows[0].items():
        right = isinstance(value, _RIGHT) and not isinstance(value, bool)
        table.add_column(_title(key), justify="right" if right else "left", overflow="fold")
    for row in rows:
        # Text, because a name could be read as markup.
        table.add_row(*(Text(shown(value)) for value in row.values()))
    console().print(table)
