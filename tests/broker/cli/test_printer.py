import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import pytest

from tapemq_broker.cli.printer import Printer


async def test_lines_come_out_when_the_loop_gets_its_turn(
    capfd: pytest.CaptureFixture[str],
) -> None:
    printer = Printer()
    await printer.print(b"one\n")
    await printer.print(b"two\n")
    assert capfd.readouterr().out == ""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert capfd.readouterr().out == "one\ntwo\n"
    await printer.print(b"three\n")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert capfd.readouterr().out == "three\n"


async def test_many_lines_do_not_wait(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Printer()
    for _ in range(7):
        await printer.print(b"x" * 9_999 + b"\n")
    assert len(capfd.readouterr().out) == 70_000


async def test_flush_writes_what_is_left(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Printer()
    await printer.print(b"one\n")
    await printer.flush()
    assert capfd.readouterr().out == "one\n"
    await printer.flush()
    assert capfd.readouterr().out == ""


@contextmanager
def nobody_reads() -> Iterator[None]:
    """Standard output is a pipe that nobody reads from."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as output, redirect_stdout(output):
        yield


async def test_a_reader_that_went_away_is_noticed_at_the_next_line() -> None:
    with nobody_reads():
        printer = Printer()
        await printer.print(b"one\n")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(BrokenPipeError):
            await printer.print(b"two\n")


async def test_a_reader_that_went_away_is_noticed_at_the_end() -> None:
    with nobody_reads():
        printer = Printer()
        await printer.print(b"one\n")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(BrokenPipeError):
            await printer.flush()


async def test_a_full_disk_is_told() -> None:
    with os.fdopen(os.open("/dev/full", os.O_WRONLY), "w") as full, redirect_stdout(full):
        printer = Printer()
        await printer.print(b"one\n")
        with pytest.raises(OSError, match="No space left on device: 'standard output'"):
            await printer.flush()
