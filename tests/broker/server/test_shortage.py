import errno

import pytest

from tapemq_broker.server.shortage import Shortage
from tapemq_broker.storage.errors import LogFull, NoFiles


class TurnedClock:
    """A clock that a test turns."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s

    def wall_us(self) -> int:
        return 0


def test_each_kind_is_told_clients_always_and_the_log_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = TurnedClock()
    shortage = Shortage(clock)
    for _ in range(3):
        assert shortage.refusal_of(LogFull("no room")).name == "disk_full"
        assert shortage.refusal_of(NoFiles("too many")).name == "overloaded"
        assert "no inodes" in shortage.not_made("a topic", OSError("no inodes")).refusal.text
    assert len(caplog.messages) == 3
    clock.now_s += 10.0
    shortage.refusal_of(LogFull("no room"))
    assert len(caplog.messages) == 4


def test_what_cannot_be_made_is_named_with_what_is_short(caplog: pytest.LogCaptureFixture) -> None:
    shortage = Shortage(TurnedClock())
    for error, name in (
        (NoFiles("too many"), "overloaded"),
        (OSError(errno.EMFILE, "too many"), "overloaded"),
        (LogFull("no room"), "disk_full"),
        (OSError(errno.EDQUOT, "no room"), "disk_full"),
    ):
        refusal = shortage.not_made("a topic", error).refusal
        assert (refusal.name, refusal.retry_after_s) == (name, 1.0)
        assert refusal.text == f"a topic cannot be made: {error}"
    files, room = caplog.messages
    assert "LimitNOFILE" in files
    assert "make room" in room
