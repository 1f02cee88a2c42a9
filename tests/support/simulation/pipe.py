"""One direction of a connection: bytes leave in writes and arrive in other pieces, later."""

from collections import deque
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.simulation.transport import SimTransport
    from tests.support.simulation.weather import Weather


class Last(Enum):
    """What may fly behind the last byte."""

    END = "end of file"
    RESET = "reset"


class Pipe:
    """Bytes from ``sender`` to ``receiver``, in order; ended by an end of file, or cut.

    ``dark``: nothing arrives any more, and nobody is told.
    """

    def __init__(self, random: Random, weather: "Weather") -> None:
        self._random = random
        self._weather = weather
        self._unsent: deque[memoryview[int]] = deque()
        self._flying_bytes = 0
        self._last_arrival_s = 0.0
        self._ended = False
        self.dark = False
        self.unsent_bytes = 0
        self.arrived = bytearray()
        self.end_arrived = False
        self.sender: SimTransport
        self.receiver: SimTransport

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send. What does not fit in the window is kept by reference, as real transports do."""
        size_bytes = memoryview(data).nbytes
        if not self._unsent and size_bytes <= self._room_bytes():
            self._flying_bytes += size_bytes
            self._fly(bytes(data))
            return
        self._unsent.append(memoryview(data).cast("B"))
        self.unsent_bytes += size_bytes
        self.push()

    def _room_bytes(self) -> int:
        return self._weather.window_bytes - self._flying_bytes - len(self.arrived)

    def end(self) -> None:
        """Send an end of file behind everything written so far."""
        self._ended = True
        self.push()

    def clear(self) -> None:
        """Forget what has not left the sender."""
        self._unsent.clear()
        self.unsent_bytes = 0

    def reset(self) -> None:
        """Break the connection off; what has left the sender still arrives before."""
        self.clear()
        self._fly(Last.RESET)

    def push(self) -> None:
        """Let go what fits in the window."""
        while self._unsent:
            room = self._room_bytes()
            if room <= 0:
                return
            view = self._unsent.popleft()
            if len(view) > room:
                self._unsent.appendleft(view[room:])
                view = view[:room]
            self.unsent_bytes -= len(view)
            self._flying_bytes += len(view)
            self._fly(bytes(view))
        if self._ended:
            self._ended = False
            self._fly(Last.END)

    def hold(self, duration_s: float) -> None:
        """Let nothing more arrive for so long; then all of it does."""
        self._last_arrival_s = max(self._last_arrival_s, self.sender.loop.time() + duration_s)

    def _fly(self, data: bytes | Last) -> None:
        loop = self.sender.loop
        travel_s = self._weather.delay_s(self._random)
        self._last_arrival_s = max(loop.time() + travel_s, self._last_arrival_s)
        if data is Last.RESET:
            # What came before it can still be read, for a moment.
            self._last_arrival_s += travel_s
        delay_s = self._last_arrival_s - loop.time()
        loop.call_io(delay_s, self, self._arrive, data, context=self.sender.network.context)

    def _arrive(self, data: bytes | Last) -> None:
        if self.dark:
            return
        if data is Last.RESET:
            self.receiver.break_off(ConnectionResetError(104, "Connection reset by peer"))
        elif data is Last.END:
            self.end_arrived = True
        else:
            self._flying_bytes -= len(data)
            self.arrived += data
        self.receiver.wake()

    def take(self, size_bytes_max: int) -> bytes:
        """Some of what has arrived: what one read from a socket may give."""
        size_bytes = self._weather.read_bytes(self._random, len(self.arrived), size_bytes_max)
        data = bytes(self.arrived[:size_bytes])
        del self.arrived[:size_bytes]
        if self._unsent:
            self.push()
        return data
