from datetime import UTC, datetime

import pytest
import typer

import tapemq
from tapemq_broker.cli.arguments import (
    as_given,
    positive_number,
    read_header,
    read_headers,
    read_seconds,
    read_size,
    read_start,
    whole_number,
)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("earliest", "earliest"),
        ("latest", "latest"),
        ("0", 0),
        ("17", 17),
        ("2026-01-31T08:00Z", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31T08:00+00:00", datetime(2026, 1, 31, 8, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31)),  # noqa: DTZ001  (the SDK takes it as UTC)
    ],
)
def test_start_is_a_word_an_offset_or_a_time(text: str, start: tapemq.Start) -> None:
    assert read_start(text) == start


@pytest.mark.parametrize("text", ["", "Earliest", "-1", "1.5", "soon", "2026-13-01", "9" * 5000])
def test_other_starts_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not one of: earliest, latest, an offset"):
        read_start(text)


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("100", 100), ("1 MiB", 2**20)])
def test_size_may_have_a_unit(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "7d", "9" * 20, "9" * 400])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a size, such as"):
        read_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("90", 90), ("1.5min", 90), ("7d", 604800)]
)
def test_duration_may_have_a_unit(text: str, seconds: int) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "1MiB", "9" * 20])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a duration in whole seconds, such as"):
        read_seconds(text)


@pytest.mark.parametrize(
    ("text", "header"),
    [("a=b", ("a", "b")), ("a=", ("a", "")), ("a=b=c", ("a", "b=c")), ("a=\udcff", ("a", b"\xff"))],
)
def test_header_is_a_name_and_a_value(text: str, header: tuple[str, str | bytes]) -> None:
    assert read_header(text) == header


@pytest.mark.parametrize("text", ["", "a", "=b"])
def test_other_headers_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not NAME=VALUE"):
        read_header(text)


def test_a_header_that_is_given_twice_is_refused() -> None:
    assert read_headers(["a=1", "b=2"]) == {"a": "1", "b": "2"}
    with pytest.raises(typer.BadParameter, match="the header 'a' is given twice"):
        read_headers(["a=1", "a=2"])


def test_numbers_are_read_and_refused_in_our_words() -> None:
    assert (whole_number(1)("7"), positive_number("0.5")) == (7, 0.5)
    for text in ("x", "0", "1.5"):
        with pytest.raises(typer.BadParameter, match=f"'{text}' is not a whole number of at least"):
            whole_number(1)(text)
    with pytest.raises(typer.BadParameter, match="is more than"):
        whole_number(0)(str(2**63))


def test_bytes_that_are_no_text_stay_what_they_are() -> None:
    assert (as_given("ä"), as_given("\udcff")) == ("ä", b"\xff")
    assert whole_number(0, 9)("9") == 9
    with pytest.raises(typer.BadParameter, match="'10' is more than 9"):
        whole_number(0, 9)("10")
    for text in ("x", "0", "-1"):
        with pytest.raises(typer.BadParameter, match=f"'{text}' is not a number above 0"):
            positive_number(text)
