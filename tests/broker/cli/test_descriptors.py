import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from tapemq_broker.cli.descriptors import never_blocks, until_readable, until_writable
from tests.support.pipe import Pipe

pytestmark = pytest.mark.both_loops


def fill(pipe: Pipe) -> None:
    """Write until it takes no more."""
    os.set_blocking(pipe.writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe.writer, bytes(4096))
    os.set_blocking(pipe.writer, True)


def test_what_can_be_waited_for(pipe: Pipe, tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        assert never_blocks(file.fileno())
    assert not never_blocks(pipe.reader)


async def test_what_waits_is_told_and_the_descriptor_stays_as_it_was(pipe: Pipe) -> None:
    waiting = asyncio.create_task(until_readable(pipe.reader))
    await asyncio.sleep(0)
    assert not waiting.done()
    os.write(pipe.writer, b"x")
    await waiting
    fill(pipe)
    waiting = asyncio.create_task(until_writable(pipe.writer))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert (os.get_blocking(pipe.reader), os.get_blocking(pipe.writer)) == (True, True)
    os.read(pipe.reader, 2**20)
    await waiting
    assert (os.get_blocking(pipe.reader), os.get_blocking(pipe.writer)) == (True, True)


async def test_the_end_ends_it(pipe: Pipe) -> None:
    fill(pipe)
    waiting = asyncio.create_task(until_writable(pipe.writer))
    os.dup2(os.open(os.devnull, os.O_RDONLY), pipe.reader)
    await waiting


async def test_waiting_can_be_cancelled(pipe: Pipe) -> None:
    waiting = asyncio.create_task(until_readable(pipe.reader))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
