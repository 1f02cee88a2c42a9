import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterator
from random import Random

import pytest

from tests.support.simulation.loop import SimLoop
from tests.support.simulation.platter import Platter
from tests.support.simulation.process import Process, ProcessExit
from tests.support.simulation.sim_disk import SimDisk, Trouble


class Machine:
    """A platter, and the disk of a process on it."""

    def __init__(self, seed: int = 1) -> None:
        self.loop = SimLoop(Random(seed))
        self.platter = Platter(self.loop, Random(seed))
        self.trouble = Trouble()
        self.reports: list[Exception | None] = []
        self.disk = self.boot()

    def boot(self) -> SimDisk:
        self.process = Process("broker")
        self.disk = SimDisk(self.loop, self.platter, self.process, self.trouble, self.crash)
        return self.disk

    def crash(self) -> None:
        self.process.exit("crash")
        self.platter.power_cut()

    def run(self, main: Callable[[], Awaitable[None]]) -> None:
        self.loop.run_until_complete(main())


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.loop.close()


def test_sync_reports_later(machine: Machine) -> None:
    async def main() -> None:
        file = machine.disk.open("a", create=True)
        file.append([b"x", b"y"])
        machine.disk.sync([file], machine.reports.append)
        assert machine.reports == []
        await asyncio.sleep(1)
        assert machine.reports == [None]
        machine.crash()
        assert machine.platter.read_file("a") == b"xy"

    machine.run(main)


def test_sync_of_a_dead_process_reports_to_nobody(machine: Machine) -> None:
    async def main() -> None:
        file = machine.disk.open("a", create=True)
        file.append([b"x"])
        machine.disk.sync([file], machine.reports.append)
        machine.process.exit("killed")
        await asyncio.sleep(1)
        assert machine.reports == []
        machine.platter.power_cut()
        # The kernel went on.
        assert machine.platter.read_file("a") == b"x"

    machine.run(main)


def test_failed_sync_makes_nothing_durable(machine: Machine) -> None:
    async def main() -> None:
        file = machine.disk.open("a", create=True)
        machine.disk.sync_now(file)
        file.append([b"x"])
        machine.trouble.sync_errors = 2
        machine.disk.sync([file], machine.reports.append)
        await asyncio.sleep(1)
        [error] = machine.reports
        assert isinstance(error, OSError)
        assert error.errno == errno.EIO
        with pytest.raises(OSError, match="Input/output"):
            machine.disk.sync_now(file)
        assert not file.inner.content.durable
        assert machine.trouble.counts == {"eio": 2}

    machine.run(main)


def test_failed_sync_may_leave_bytes_that_later_ones_pass_over(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.platter, "surviving_writes", lambda path, pending: ())

    async def main() -> None:
        file = machine.disk.open("a", create=True)
        machine.disk.sync_now(file)
        machine.trouble.forgets, machine.trouble.sync_errors = True, 2
        file.append([b"x" * 600])
        machine.disk.sync([file], machine.reports.append)
        await asyncio.sleep(1)
        assert isinstance(machine.reports[0], OSError)
        file.append([b"y" * 600])
        with pytest.raises(OSError, match="Input/output"):
            machine.disk.sync_now(file)
        machine.disk.sync_now(file)
        assert file.inner.content.durable != file.inner.content.now
        file.rewrite(0, file.read(0, 1200))
        machine.disk.sync_now(file)
        assert file.inner.content.durable == file.inner.content.now
        assert machine.trouble.counts == {"eio": 2, "forgotten": 2}

    machine.run(main)


def test_such_bytes_may_vanish_at_a_read(machine: Machine) -> None:
    machine.trouble.forgets, machine.trouble.sync_errors = True, 1
    machine.trouble.evict_chance = 1.0
    file = machine.disk.open("a", create=True)
    file.append([b"x" * 9000])
    with pytest.raises(OSError, match="Input/output"):
        machine.disk.sync_now(file)
    reads = [file.read(0, 9000).count(b"x") for _ in range(9)]
    assert reads[-1] == file.inner.content.durable.count(b"x")
    assert machine.platter.lost["evicted"] > 0


def test_process_may_die_while_it_writes_bytes_again(machine: Machine) -> None:
    file = machine.disk.open("a", create=True)
    file.append([b"x" * 100])
    machine.trouble.crash_in_steps = 1
    with pytest.raises(ProcessExit):
        file.rewrite(0, b"x" * 100)
    with pytest.raises(ProcessExit):
        file.rewrite(0, b"y" * 100)
    assert file.inner.content.now == b"x" * 100


def test_lying_disk_reports_success_and_syncs_nothing(machine: Machine) -> None:
    async def main() -> None:
        file = machine.disk.open("a", create=True)
        machine.trouble.lies = True
        file.append([b"x"])
        machine.disk.sync([file], machine.reports.append)
        await asyncio.sleep(1)
        assert machine.reports == [None]
        assert not file.inner.content.durable

    machine.run(main)


def test_hurrying_disk_reports_success_before_it_is_true(machine: Machine) -> None:
    async def main() -> None:
        file = machine.disk.open("a", create=True)
        machine.trouble.hurries, machine.trouble.sync_s = True, 1.0
        file.append([b"x"])
        machine.disk.sync([file], machine.reports.append)
        await asyncio.sleep(2)
        assert machine.reports == [None]
        assert not file.inner.content.durable
        await asyncio.sleep(1000)
        assert file.inner.content.durable == b"x"

    machine.run(main)


def test_disk_that_forgets_names(machine: Machine) -> None:
    machine.trouble.forgets_names = True
    file = machine.disk.open("a", create=True)
    file.append([b"x"])
    machine.disk.sync_now(file)
    machine.disk.sync_directory("")
    assert file.inner.content.durable == b"x"
    assert [change.name for change in machine.platter._root.pending] == ["a"]


def test_full_disk_writes_a_part(machine: Machine) -> None:
    file = machine.disk.open("a", create=True)
    machine.trouble.full = True
    with pytest.raises(OSError, match="No space") as caught:
        file.append([b"x" * 1000])
    assert caught.value.errno == errno.ENOSPC
    assert 0 < file.size_bytes < 1000
    with pytest.raises(OSError, match="No space"):
        machine.disk.open("b", create=True)
    with pytest.raises(OSError, match="No space"):
        machine.disk.replace_file("c", b"data")
    assert machine.disk.free_bytes() == 0


def test_process_dies_inside_a_call(machine: Machine) -> None:
    file = machine.disk.open("a", create=True)
    machine.trouble.crash_in_steps = 3
    file.append([b"x"])
    file.append([b"y"])
    with pytest.raises(ProcessExit):
        file.append([b"z"])
    assert not machine.process.alive
    for call in (lambda: file.append([b"!"]), lambda: machine.disk.list_directory("")):
        with pytest.raises(ProcessExit):
            call()


def test_next_process_takes_the_lock_of_a_dead_one(machine: Machine) -> None:
    machine.disk.lock()
    with pytest.raises(BlockingIOError):
        SimDisk(machine.loop, machine.platter, Process("b"), machine.trouble, machine.crash).lock()
    machine.process.exit("killed")
    machine.boot().lock()


def test_dead_process_cannot_let_go_of_the_lock_of_the_next(machine: Machine) -> None:
    first = machine.disk
    first.lock()
    machine.process.exit("killed")
    machine.boot().lock()
    first.close()
    with pytest.raises(BlockingIOError):
        machine.boot().lock()


def test_one_bit_of_a_read_is_flipped(machine: Machine) -> None:
    machine.disk.replace_file("a", b"\0" * 100)
    machine.trouble.flips = 1
    read = machine.disk.read_file("a")
    assert read is not None
    assert sum(byte.bit_count() for byte in read) == 1
    assert machine.disk.read_file("a") == b"\0" * 100


def test_some_reads_must_wait(machine: Machine) -> None:
    file = machine.disk.open("a", create=True)
    file.append([b"x"])
    machine.trouble.read_wait_chance = 0.5
    reads = [file.read_nowait(0, 1) for _ in range(50)]
    assert set(reads) == {None, b"x"}


def test_discard_stops_with_the_process(machine: Machine) -> None:
    async def main() -> None:
        names = [f"f{number}" for number in range(9)]
        for name in names:
            machine.disk.replace_file(name, b"x")
        machine.trouble.sync_s = 10.0
        machine.disk.discard(names)
        await asyncio.sleep(20)
        machine.process.exit("killed")
        await asyncio.sleep(1000)
        left = machine.platter.list_directory("")
        assert left == names[-len(left) :]
        assert 0 < len(left) < 9

    machine.run(main)
