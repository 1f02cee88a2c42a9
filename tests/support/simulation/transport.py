"""One end of a simulated connection, as asyncio's protocols expect it."""

import asyncio
from collections.abc import Iterable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final

from tests.support.simulation.pipe import Pipe
from tests.support.simulation.process import process_of
from tests.support.simulation.weather import WINDOW_BYTES

if TYPE_CHECKING:
    from tests.support.simulation.loop import SimLoop
    from tests.support.simulation.network import SimNetwork

_HIGH_BYTES: Final = 64 * 1024


class SimSocket:
    """What get_extra_info("socket") gives: its options are accepted and mean nothing."""

    def __init__(self, name: tuple[str, int], peer: tuple[str, int]) -> None:
        self._name = name
        self._peer = peer

    def getsockname(self) -> tuple[str, int]:
        return self._name

    def getpeername(self) -> tuple[str, int]:
        return self._peer

    def setsockopt(self, *_: object) -> None:
        """Do nothing: there is no kernel."""

    def fileno(self) -> int:
        return -1


class SimTransport(asyncio.Transport):
    """Calls of the protocol are made in the context of the process that it was made in."""

    def __init__(
        self,
        network: "SimNetwork",
        protocol: asyncio.BaseProtocol,
        outgoing: Pipe,
        incoming: Pipe,
        socket: SimSocket,
    ) -> None:
        extra = {"socket": socket, "sockname": socket.getsockname()}
        super().__init__({**extra, "peername": socket.getpeername()})
        self.network = network
        self.loop: SimLoop = network.loop
        self.context: Context = copy_context()
        self.process = process_of(self.context)
        self.outgoing = outgoing
        self.incoming = incoming
        self.set_protocol(protocol)
        self._high_bytes, self._low_bytes = _HIGH_BYTES, _HIGH_BYTES // 4
        self._protocol_paused = False
        self._reading = False
        self._read_is_due = False
        self._closing = False
        self._lost = False

    def start(self) -> None:
        """Tell the protocol that the connection is made, then read."""
        self._protocol.connection_made(self)
        if not self._closing:
            self.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Send what was written, then close. What arrives meanwhile is not read."""
        if self._closing:
            return
        self._closing = True
        self._reading = False
        self.outgoing.end()
        if not self.outgoing.unsent_bytes:
            self._lose(None)

    def abort(self) -> None:
        """Close now; what was not sent is lost, and the other side is reset."""
        if not self._lost:
            self.outgoing.reset()
            self.break_off(None)

    def break_off(self, error: Exception | None) -> None:
        """The connection is gone, says the network."""
        self._closing = True
        self._reading = False
        self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self.outgoing.clear()
            self.loop.call_soon(self._tell_lost, error, context=self.context)

    def _tell_lost(self, error: Exception | None) -> None:
        self.network.forget(self)
        self.wake()
        self._protocol.connection_lost(error)

    def die(self) -> None:
        """The process is gone; its kernel closes the connection."""
        if not self._lost:
            self._closing = self._lost = True
            self.outgoing.clear()
            self.outgoing.end()
            self.wake()

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        if not self._closing:
            self._reading = True
            self.wake()

    def wake(self) -> None:
        """Something has arrived, or there is room to send again."""
        if self._lost:
            # Nobody will read this: TCP answers with a reset, which overtakes nothing but makes
            # the other side drop what it has not read yet.
            if self.incoming.arrived:
                self.incoming.arrived.clear()
                self.outgoing.reset()
        elif (
            self._reading
            and not self._read_is_due
            and (self.incoming.arrived or self.incoming.end_arrived)
        ):
            self._read_is_due = True
            delay_s = self.network.weather.wake_s(self.network.random)
            self.loop.call_io(delay_s, self, self._read, context=self.context)

    def _read(self) -> None:
        self._read_is_due = False
        if not self._reading:
            return
        if self.incoming.arrived:
            self._hand_over()
        elif self.incoming.end_arrived:
            self._end()
        self.incoming.sender.sent()
        self.wake()

    def _hand_over(self) -> None:
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            room = memoryview(protocol.get_buffer(-1))
            if not len(room):
                raise RuntimeError("get_buffer() returned an empty buffer")
            data = self.incoming.take(len(room))
            room[: len(data)] = data
            protocol.buffer_updated(len(data))
        elif isinstance(protocol, asyncio.Protocol):
            protocol.data_received(self.incoming.take(WINDOW_BYTES))

    def _end(self) -> None:
        self.incoming.end_arrived = False
        protocol = self._protocol
        assert isinstance(protocol, asyncio.BufferedProtocol | asyncio.Protocol)
        if not protocol.eof_received():
            self.close()

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        if self._closing or not len(data) or not self._is_alive():
            return
        self.outgoing.write(data)
        if self.outgoing.unsent_bytes > self._high_bytes and not self._protocol_paused:
            self._protocol_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: "Iterable[bytes | bytearray | memoryview[Any]]") -> None:
        self.write(b"".join(list_of_data))

    def sent(self) -> None:
        """Room was made: the kernel took some of what waited."""
        if self.outgoing.unsent_bytes <= self._low_bytes and self._protocol_paused:
            self._protocol_paused = False
            self.loop.call_soon(self._resume_writing, context=self.context)
        if self._closing and not self.outgoing.unsent_bytes:
            self._lose(None)

    def _resume_writing(self) -> None:
        if not self._protocol_paused and not self._lost:
            self._protocol.resume_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.outgoing.end()

    def get_write_buffer_size(self) -> int:
        return self.outgoing.unsent_bytes

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low_bytes, self._high_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = 4 * low if low is not None else _HIGH_BYTES
        low = high // 4 if low is None else low
        if not 0 <= low <= high:
            raise ValueError(f"high ({high}) must be at least low ({low}), and low at least 0")
        self._high_bytes, self._low_bytes = high, low

    def _is_alive(self) -> bool:
        return self.process is None or self.process.alive
