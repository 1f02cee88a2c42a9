import asyncio
import os
import sys

import pytest

from tapemq_broker.cli.printer import Printer


async def test_lines_come_out_when_the_loop_gets_its_turn(
    capfd: pytest.CaptureFixture[str],
) -> None:
    printer = Printer()
    printer.print(b"one\n")
    printer.print(b"two\n")
    assert capfd.readouterr().out == ""
    await asyncio.sleep(0)
    assert capfd.readouterr().out == "one\ntwo\n"
    printer.print(b"three\n")
    await asyncio.sleep(0)
    assert capfd.readouterr().out == "three\n"


async def test_many_lines_do_not_wait(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Printer()
    for _ in range(7):
        printer.print(b"x" * 9_999 + b"\n")
    assert len(capfd.readouterr().out) == 70_000


async def test_flush_writes_what_is_left(capfd: pytest.CaptureFixture[str]) -> None:
    printer = Printer()
    printer.print(b"one\n")
    printer.flush()
    assert capfd.readouterr().out == "one\n"
    printer.flush()
    assert capfd.readouterr().out == ""


async def test_a_reader_that_went_away_is_noticed_at_the_next_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as nobody_reads:
        monkeypatch.setattr(sys, "stdout", nobody_reads)
        printer = Printer()
        printer.print(b"one\n")
        await asyncio.sleep(0)
        with pytest.raises(BrokenPipeError):
            printer.print(b"two\n")
        # What could not be written would fail once more when the file is closed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), write_end)
