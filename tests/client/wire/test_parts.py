import asyncio
import socket
from collections.abc import Sequence

import pytest

from tapemq.wire import parts


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9), (3, 13, 2), (3, 14, 0), (4, 0, 0)])
def test_most_versions_are_right(version: tuple[int, ...]) -> None:
    assert parts.writelines_pauses(version)


@pytest.mark.parametrize("version", [(3, 12, 0), (3, 12, 8), (3, 13, 0), (3, 13, 1)])
def test_some_are_not(version: tuple[int, ...]) -> None:
    assert not parts.writelines_pauses(version)


class Lines:
    def __init__(self) -> None:
        self.calls: list[object] = []

    def write(self, data: object) -> None:
        self.calls.append(data)

    def writelines(self, list_of_data: Sequence[object]) -> None:
        self.calls.append(list_of_data)


def test_parts_are_written_together_where_that_is_right() -> None:
    transport = Lines()
    parts._together(transport, (b"head", b"body"))
    assert transport.calls == [(b"head", b"body")]


def test_parts_are_written_one_by_one_where_it_is_not() -> None:
    transport = Lines()
    parts._one_by_one(transport, (b"head", b"body"))
    assert transport.calls == [b"head", b"body"]


@pytest.mark.both_loops
async def test_who_writes_is_told_to_pause() -> None:
    """The reason for all this: on the versions of Python above, writelines() alone fails here."""
    paused: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    class Writer(asyncio.Protocol):
        def pause_writing(self) -> None:
            paused.set_result(True)

    near, far = socket.socketpair()
    with far:
        transport, _ = await asyncio.get_running_loop().create_connection(Writer, sock=near)
        parts.write_parts(transport, (bytes(1 << 16), bytes(1 << 24)))
        assert await asyncio.wait_for(paused, 10)
        transport.abort()
        await asyncio.sleep(0)
