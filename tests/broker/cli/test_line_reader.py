import os
from pathlib import Path

import pytest

from tapemq_broker.cli import line_reader
from tapemq_broker.cli.line_reader import LineTooLong, read_lines
from tests.support.pipe import Pipe

pytestmark = pytest.mark.both_loops


async def all_lines(descriptor: int) -> list[bytes]:
    return [line async for lines in read_lines(descriptor) for line in lines]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\n\nb\r\nc", [b"a", b"", b"b\r", b"c"]),
        (b"\n", [b""]),
        (b"x" * 200_000 + b"\ny\n", [b"x" * 200_000, b"y"]),
    ],
)
async def test_lines_of_a_file(tmp_path: Path, data: bytes, lines: list[bytes]) -> None:
    (tmp_path / "f").write_bytes(data)
    with (tmp_path / "f").open("rb") as file:
        assert await all_lines(file.fileno()) == lines


async def test_lines_of_a_pipe_come_as_they_are_written(pipe: Pipe) -> None:
    reading = read_lines(pipe.reader)
    os.write(pipe.writer, b"one\ntwo\nthr")
    assert await anext(reading) == [b"one", b"two"]
    os.write(pipe.writer, b"ee\n")
    assert await anext(reading) == [b"three"]
    pipe.close(pipe.writer)
    with pytest.raises(StopAsyncIteration):
        await anext(reading)


async def test_nothing_is_read_from_the_null_device() -> None:
    with open(os.devnull, "rb") as null:  # noqa: ASYNC230  (it does not block)
        assert await all_lines(null.fileno()) == []


async def test_a_line_that_cannot_be_a_record_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_reader, "RECORD_BYTES_MAX", 100_000)
    (tmp_path / "f").write_bytes(b"short\n" + b"x" * 300_000)
    with (tmp_path / "f").open("rb") as file:
        reading = read_lines(file.fileno())
        assert await anext(reading) == [b"short"]
        with pytest.raises(LineTooLong, match="it has more than 100000 bytes"):
            await anext(reading)
