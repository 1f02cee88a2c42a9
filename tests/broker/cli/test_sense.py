"""What a start would refuse although every checksum fits is found beforehand."""

import pytest

from tapemq.batch import Columns, Kind, LogId, Role, checksum, encode_body
from tapemq_broker.cli.sense import senseless
from tapemq_broker.core.schedules.entries import Fired, encode_entries
from tapemq_broker.core.topics import CATALOG
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.record_log import LogSettings, NewBatch
from tapemq_broker.storage.state_log import StateLog
from tapemq_broker.storage.verify import verify
from tests.support.scheduled_broker import scheduled_broker


@pytest.fixture
async def disk() -> MemoryDisk:
    """A topic with a queue group and a schedule, as a crash left it."""
    async with scheduled_broker() as broker:
        await broker.later(b"a", 60)
        async with broker.client.queue("t", group="g"):
            pass
        await broker.stop()
        broker.disk.remove("CLEAN")
        assert isinstance(broker.disk, MemoryDisk)
    return broker.disk


def place(disk: MemoryDisk, role: Role) -> tuple[str, LogId]:
    """The directory of a log of the topic, and its id."""
    (folder,) = disk.list_directory("topics/default")
    suffix = {Role.GROUPS: ".groups", Role.SCHEDULE: ".schedule"}[role]
    return f"topics/default/{folder}0{suffix}", LogId(int(folder[2:-1], 16), 0, role)


def put(disk: MemoryDisk, path: str, log_id: LogId, entries: dict[bytes, bytes]) -> None:
    kind = Kind.CATALOG if log_id.role is Role.CATALOG else Kind.GROUP
    state = StateLog.open(disk, path, log_id, kind, now_us=0)
    state.put(entries, 0)
    state.close(clean=False, now_us=0)


def schedule(disk: MemoryDisk, body: bytes) -> None:
    path, log_id = place(disk, Role.SCHEDULE)
    log = Log.open(disk, path, log_id, settings=LogSettings(), now_us=0)
    log.append(NewBatch(Kind.SCHEDULE, 1, body, checksum(body)), 0)
    log.close(clean=False, now_us=0)


def found(disk: MemoryDisk, *damaged: str) -> list[tuple[str, str]]:
    """Logs, and what is said of them; no byte of them is damaged."""
    directory = DataDirectory.open_offline(disk, for_writing=False)
    assert [problem for problem in verify(directory) if not problem.is_harmless] == []
    problems = list(senseless(directory, damaged))
    assert all("restore the directory from a copy" in problem.advice for problem in problems)
    assert not any(problem.is_harmless for problem in problems)
    disk.close()
    return [(problem.log, problem.problem) for problem in problems]


def test_what_a_broker_wrote_makes_sense(disk: MemoryDisk) -> None:
    assert found(disk) == []


def test_a_topic_of_which_the_catalog_says_nonsense_is_named(disk: MemoryDisk) -> None:
    put(disk, "catalog", CATALOG, {b"topic/sick": b"nonsense"})
    [(log, problem)] = found(disk)
    assert log == "catalog"
    assert "sick: in the topic's entry" in problem
    assert found(disk, "catalog") == []


def test_groups_that_are_nonsense_are_named(disk: MemoryDisk) -> None:
    path, log_id = place(disk, Role.GROUPS)
    put(disk, path, log_id, {b"h": b"nonsense"})
    [(log, problem)] = found(disk)
    assert log == path
    assert "make no sense" in problem
    assert found(disk, path) == []


@pytest.mark.parametrize(
    "body",
    [
        encode_entries([Fired(7, ())]),  # of a partition that there is not
        encode_body(Columns([b"nonsense"])),
    ],
)
def test_schedules_that_are_nonsense_are_named(disk: MemoryDisk, body: bytes) -> None:
    schedule(disk, body)
    path, _ = place(disk, Role.SCHEDULE)
    [(log, problem)] = found(disk)
    assert log == path
    assert "make no sense" in problem
