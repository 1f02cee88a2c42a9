import asyncio
import os
from contextlib import suppress
from pathlib import Path

import pytest

from tapemq_broker.cli.byte_writer import write_all
from tests.support.pipe import Pipe

pytestmark = pytest.mark.both_loops

# More than any pipe holds.
DATA = bytes(range(256)) * 4096


async def read_all(pipe: Pipe, size_bytes: int) -> bytes:
    """What comes, in small pieces; the loop has its turns meanwhile."""
    data = b""
    os.set_blocking(pipe.reader, False)
    while len(data) < size_bytes:
        with suppress(BlockingIOError):
            data += os.read(pipe.reader, 10_000)
        await asyncio.sleep(0)
    pipe.close(pipe.reader)
    return data


@pytest.mark.parametrize("blocking", [True, False])
async def test_the_loop_runs_while_nobody_reads(pipe: Pipe, blocking: bool) -> None:
    os.set_blocking(pipe.writer, blocking)
    writing = asyncio.create_task(write_all(pipe.writer, DATA))
    await asyncio.sleep(0)
    assert not writing.done()
    assert await read_all(pipe, len(DATA)) == DATA
    await writing


async def test_waiting_can_be_cancelled(pipe: Pipe) -> None:
    writing = asyncio.create_task(write_all(pipe.writer, DATA))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    pipe.close(pipe.reader)


async def test_a_reader_that_goes_away_ends_the_waiting(pipe: Pipe) -> None:
    writing = asyncio.create_task(write_all(pipe.writer, DATA))
    await asyncio.sleep(0)
    pipe.close(pipe.reader)
    with pytest.raises(BrokenPipeError):
        await writing


async def test_a_file_gets_everything(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        await write_all(file.fileno(), DATA)
    assert (tmp_path / "f").read_bytes() == DATA


async def test_no_room_is_an_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        await write_all(full, DATA)
    os.close(full)
