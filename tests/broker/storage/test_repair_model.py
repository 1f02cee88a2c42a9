"""Logs with any history, damaged in any way: a repair ends, the next start opens, and nothing
that is sound is lost unless it says so."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tapemq.batch import Header, decode_header
from tapemq_broker.storage.clean import CleanEntry, look_at_clean, write_clean
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.log import Log
from tapemq_broker.storage.record_log import LogSettings
from tapemq_broker.storage.repair import RepairReport, repair
from tapemq_broker.storage.repair_plan import Mode
from tapemq_broker.storage.verify import Problem, verify
from tests.support.crashing_disk import Crash
from tests.support.disk_image import Image, fill, flipped, take_image
from tests.support.log_reader import read_batches, read_log
from tests.support.logs import DIRECTORY, LOG_ID, CountingObserver, batch_of, sync
from tests.support.models import model_settings
from tests.support.unreliable_disk import UnreliableDisk

pytestmark = pytest.mark.models

SETTINGS = LogSettings(segment_bytes=700, index_interval_bytes=200)
NOW_US = 1000
Damage = Callable[[Random, bytes, bytes], bytes]
"""What becomes of a segment; another one may have a part in it."""


def piece(random: Random, data: bytes) -> tuple[int, int]:
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice([1, 50, 200]))


def overwritten(random: Random, data: bytes, other: bytes) -> bytes:
    start, stop = piece(random, data)
    return data[:start] + random.randbytes(stop - start) + data[stop:]


def zeroed(random: Random, data: bytes, other: bytes) -> bytes:
    start, stop = piece(random, data)
    return data[:start] + bytes(random.choice([stop, len(data)]) - start)


def shortened(random: Random, data: bytes, other: bytes) -> bytes:
    start, stop = piece(random, data)
    return data[:start] + data[stop:]


DAMAGES: list[Damage] = [
    lambda random, data, other: flipped(data, random.randrange(8 * len(data))),
    lambda random, data, other: data[: random.randrange(len(data))],
    lambda random, data, other: data + random.choice([bytes(40), random.randbytes(150), data]),
    lambda random, data, other: random.choice([b"", bytes(len(data)), random.randbytes(len(data))]),
    lambda random, data, other: other,
    overwritten,
    zeroed,
    shortened,
]


def open_log(disk: UnreliableDisk, clean: CleanEntry | None = None) -> Log:
    return Log.open(
        disk,
        DIRECTORY,
        LOG_ID,
        settings=SETTINGS,
        observer=CountingObserver(),
        clean=clean,
        now_us=NOW_US,
    )


class Story:
    """What happens to a log before it is damaged; a repair may have been a part of it."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.disk = UnreliableDisk(random)
        self.log = open_log(self.disk)
        self.number = 0
        happens = [self.append] * 8 + [self.mark, self.roll, self.remove, self.cut_power]
        for _ in range(random.randint(3, 40)):
            random.choice([*happens, self.stop, self.end_with_a_gap])()
        sync(self.log, self.disk)
        if random.random() < 0.4:
            self.log.mark(NOW_US)
        entry = self.log.close(clean=random.random() < 0.4, now_us=NOW_US)
        if entry is not None:
            write_clean(self.disk, [entry])

    def append(self) -> None:
        self.number += 1
        sizes = [self.random.choice([0, 10, 60, 200]) for _ in range(self.random.randint(1, 3))]
        self.log.append(batch_of(*(b"%d." % self.number + bytes(size) for size in sizes)), NOW_US)
        if self.random.random() < 0.8:
            sync(self.log, self.disk)

    def mark(self) -> None:
        sync(self.log, self.disk)
        self.log.mark(NOW_US)

    def roll(self) -> None:
        self.log.roll()

    def remove(self) -> None:
        self.log.truncate_front(self.random.randint(0, self.log.durable_offset))

    def cut_power(self) -> None:
        self.disk.power_cut()
        self.log = open_log(self.disk)

    def stop(self) -> None:
        self.log = open_log(self.disk, self.log.close(clean=True, now_us=NOW_US))

    def end_with_a_gap(self) -> None:
        """Something was known to follow."""
        sync(self.log, self.disk)
        known_upto = self.log.next_offset + 2
        self.log.close(clean=False, now_us=NOW_US)
        run(self.disk, Mode.SALVAGE, durable_floor=known_upto)
        self.log = open_log(self.disk)
        assert self.log.next_offset == known_upto


def run(
    disk: UnreliableDisk, mode: Mode, *, confirm: bool = True, durable_floor: int = 0
) -> RepairReport:
    directory = DataDirectory(disk, bytes(16))
    place = directory.place_of(DIRECTORY)
    assert place is not None
    return repair(
        directory, place, mode, confirm=confirm, now_us=NOW_US, durable_floor=durable_floor
    )


def problems(disk: UnreliableDisk) -> list[Problem]:
    found = verify(DataDirectory(disk, bytes(16)))
    return [problem for problem in found if not problem.is_harmless]


def batches(image: Image) -> list[tuple[str, int, Header]]:
    """All batches of sound logs: in which file, where, and what."""
    found = []
    for path, data in image.items():
        position = 0
        while path.endswith(".log") and position < len(data):
            header = decode_header(data, position)
            found.append((path, position, header))
            position += header.batch_bytes
    return found


def damage(random: Random, disk: UnreliableDisk) -> None:
    names = [name for name in disk.list_directory(DIRECTORY) if not name.endswith(".torn")]
    for _ in range(random.choice([1, 1, 2, 3])):
        path = f"{DIRECTORY}/{random.choice(names)}"
        data = disk.read_file(path) or b""
        other = disk.read_file(f"{DIRECTORY}/{random.choice(names)}") or b""
        if random.random() < 0.15:
            disk.remove(path)
            disk.sync_directory(DIRECTORY)
        elif data:
            disk.replace_file(path, random.choice(DAMAGES)(random, data, other))


@example(1659, Mode.TRUNCATE)
@model_settings(60)
@given(seed=st.integers(0, 2**32), mode=st.sampled_from(Mode))
def test_a_repair_ends_and_loses_nothing_sound_in_silence(seed: int, mode: Mode) -> None:
    random = Random(seed)
    before = take_image(Story(random).disk)
    disk = UnreliableDisk(random)
    fill(disk, before)
    damage(random, disk)
    damaged = take_image(disk)
    intact = [
        header
        for path, position, header in batches(before)
        if damaged.get(path, b"")[position : position + header.batch_bytes]
        == before[path][position : position + header.batch_bytes]
    ]
    is_wrong = bool(problems(disk))
    dry = run(disk, mode, confirm=False)
    assert take_image(disk) == damaged
    report = run_at_last(disk, mode)
    assert not is_wrong or take_image(disk) != damaged
    again = run(disk, Mode.SALVAGE, confirm=False)
    assert (again.holes, again.is_made_anew, problems(disk)) == ([], False, [])
    log = open_log(disk, look_at_clean(disk).entries.get(LOG_ID))
    written = {
        at: record
        for path, position, header in batches(before)
        for at, record in read_batches(before[path][position:][: header.batch_bytes]).items()
    }
    read = read_log(log, max_bytes=1)
    assert read.items() <= written.items()
    given_up = {
        at for hole in (*dry.holes, *report.holes) for at in range(hole.from_offset, hole.to_offset)
    }
    for header in intact:
        offsets = set(range(header.base_offset, header.next_offset))
        is_cut = bool(log.recovered.cut) and not is_proven(header, intact)
        is_named = mode is Mode.TRUNCATE and bool(offsets & given_up)
        assert offsets <= read.keys() or is_cut or is_named, f"{header} is lost"
    log.append(batch_of(b"more"), NOW_US)
    sync(log, disk)
    log.close(clean=False, now_us=NOW_US)
    assert list(read_log(open_log(disk))) == [*read, log.next_offset - 1]


def run_at_last(disk: UnreliableDisk, mode: Mode) -> RepairReport:
    """The process may end a few times on the way."""
    for _ in range(disk.random.choice([0, 0, 1, 3])):
        disk.crash_in(disk.random.randint(1, 12))
        try:
            return run(disk, mode)
        except Crash:
            if disk.random.random() < 0.5:
                disk.power_cut()
        finally:
            disk.work_again()
    return run(disk, mode)


def is_proven(header: Header, intact: list[Header]) -> bool:
    """Whether a batch that is left says that this one was on disk."""
    return any(other.durable_batch > header.batch_number for other in intact)
