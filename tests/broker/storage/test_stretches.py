import errno

import pytest

from tapemq.batch import Kind
from tapemq_broker.storage.decision import Place
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.stretches import Stretch, stretches
from tests.support.disk_image import fill
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog
from tests.support.recovery_cases import Damage, build_log


def stretches_of(damage: Damage) -> tuple[list[Stretch], list[int]]:
    taken: list[int] = []
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    found = list(stretches(files, lambda base, batch: taken.append(batch.header.base_offset)))
    return found, taken


def offsets(found: list[Stretch]) -> list[tuple[int, int] | Place]:
    return [
        (stretch.before.next_offset, stretch.after.next_offset)
        if stretch.is_sound
        else stretch.place
        for stretch in found
    ]


def test_sound_log_is_one_stretch_for_each_segment() -> None:
    damage = Damage()
    found, taken = stretches_of(damage)
    assert offsets(found) == [(0, 6), (6, 12), (12, 18)]
    assert [stretch.stop for stretch in found] == [
        len(damage.image[damage.path(base)]) for base in (0, 6, 12)
    ]
    assert taken == list(range(0, 18, 2))


def test_damage_splits_a_segment() -> None:
    damage = Damage()
    damage.flip(8, 100)
    found, taken = stretches_of(damage)
    assert offsets(found) == [(0, 6), (6, 8), Place.DAMAGED, (10, 12), (12, 18)]
    bad = found[2]
    assert (bad.start, bad.stop) == (damage.placed(8).position, damage.placed(10).position)
    assert taken == [0, 2, 4, 6, 10, 12, 14, 16]


def test_damage_at_the_beginning_and_the_end_of_segments() -> None:
    damage = Damage()
    for offset in (0, 4, 6, 16):
        damage.flip(offset, 30)
    assert offsets(stretches_of(damage)[0]) == [
        Place.DAMAGED,
        (2, 4),
        Place.DAMAGED,
        Place.DAMAGED,
        (8, 12),
        (12, 16),
        Place.DAMAGED,
    ]


def test_missing_segment_leaves_a_jump() -> None:
    damage = Damage()
    damage.keep_only(0, 12)
    assert offsets(stretches_of(damage)[0]) == [(0, 6), (12, 18)]


@pytest.mark.parametrize("base", [0, 6])
def test_a_copy_of_a_later_segment_costs_no_other(base: int) -> None:
    """Under a wrong name, what is in it does not belong there; all else does."""
    damage = Damage()
    damage.image[damage.path(base)] = damage.image[damage.path(12)]
    kept = [(first, first + 6) for first in (0, 6, 12) if first != base]
    assert [one for one in offsets(stretches_of(damage)[0]) if one is not Place.FOREIGN] == kept


def test_a_segment_with_a_wrong_name_costs_no_batch_of_those_before_it() -> None:
    damage = Damage()
    damage.flip(6, 30)
    damage.image[damage.path(9)] = damage.image.pop(damage.path(12))
    assert offsets(stretches_of(damage)[0]) == [(0, 6), Place.DAMAGED, (8, 12), (12, 18)]


def test_an_oldest_segment_of_another_log_says_nothing_of_this_one() -> None:
    damage = Damage()
    damage.keep_only(6, 12)
    other = RawLog(MemoryDisk(), log_id=LOG_ID._replace(topic_id=99))
    for _ in range(20):
        other.data(b"x")
    damage.image[damage.path(6)] = other.placed[19].data
    assert offsets(stretches_of(damage)[0]) == [Place.FOREIGN, (12, 18)]


def test_log_whose_beginning_was_removed() -> None:
    damage = Damage()
    damage.keep_only(12)
    assert offsets(stretches_of(damage)[0]) == [(12, 18)]
    damage.flip(12, 100)
    found, _ = stretches_of(damage)
    assert offsets(found) == [Place.DAMAGED, (14, 18)]
    assert found[0].before.next_offset == 12


def test_foreign_and_old_batches_are_never_taken() -> None:
    damage = Damage()
    other = build_log(log_id=LOG_ID._replace(topic_id=8))
    damage.append(other.placed[8].data + damage.placed(2).data)
    found, taken = stretches_of(damage)
    assert offsets(found)[-2:] == [(12, 18), Place.FOREIGN]
    assert taken == list(range(0, 18, 2))


def test_garbage_between_whole_batches_loses_nothing() -> None:
    damage = Damage()
    path = damage.path(12)
    at = damage.placed(14).position
    damage.image[path] = damage.image[path][:at] + b"garbage" + damage.image[path][at:]
    found, taken = stretches_of(damage)
    assert offsets(found)[2:] == [(12, 14), Place.DAMAGED, (14, 18)]
    assert found[-1].before[:3] == found[2].after[:3]
    assert taken == list(range(0, 18, 2))


def test_made_up_batches_in_a_damaged_payload_are_passed_in_a_few_readings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whole small ones, and between them heads that claim all the rest as their bodies."""
    log = RawLog(MemoryDisk())
    log.data(b"before")
    count, each_bytes = 200, 12_000
    parts = []
    for number in range(count):
        small = log.placed[0].header._replace(
            base_offset=100 + 2 * number, batch_number=100 + 2 * number, append_time_us=1 << 40
        )
        large = small._replace(
            base_offset=101 + 2 * number,
            batch_number=101 + 2 * number,
            body_length=each_bytes * (count - number),
        )
        part = small.encode()[0] + log.placed[0].body + large.encode()[0]
        parts.append(part.ljust(each_bytes, b"x"))
    log.append(Kind.DATA, 1, b"".join(parts))
    data = bytearray(log.disk.read_file(log.path) or b"")
    data[log.placed[1].position] ^= 1
    log.disk.replace_file(log.path, bytes(data))
    got_bytes = 0
    read = MemoryFile.read

    def counted(file: MemoryFile, position: int, size_bytes: int) -> bytes:
        nonlocal got_bytes
        found = read(file, position, size_bytes)
        got_bytes += len(found)
        return found

    monkeypatch.setattr(MemoryFile, "read", counted)
    found = list(stretches(LogFiles(log.disk, DIRECTORY, LOG_ID)))
    assert sum(stretch.is_sound for stretch in found) == count + 1
    assert got_bytes < 12 * len(data)


def test_segment_that_cannot_be_opened_is_passed_over() -> None:
    damage, disk = Damage(), FaultyDisk()
    fill(disk, damage.image)
    disk.fail = failing("open", errno.EIO, path=damage.path(6))
    found = list(stretches(LogFiles(disk, DIRECTORY, LOG_ID)))
    assert offsets(found) == [(0, 6), Place.UNREADABLE, (12, 18)]
    assert (found[1].start, found[1].stop, found[1].reason) == (
        0,
        0,
        f"opening failed: [Errno 5] open fails: '{damage.path(6)}'",
    )


def test_a_directory_that_cannot_be_read_is_one_bad_stretch() -> None:
    disk = FaultyDisk()
    fill(disk, Damage().image)
    disk.fail = failing("list_directory", errno.EIO)
    (found,) = stretches(LogFiles(disk, DIRECTORY, LOG_ID))
    assert (found.is_sound, found.stop) == (False, 0)
    assert "its directory cannot be read: [Errno 5] list_directory fails" in found.reason
