import pytest

from tapemq.batch import iter_batches
from tapemq_broker.storage.diagnosis import Claims, diagnose
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.gap import decode_gap
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.repair_plan import Hole, Mark, Mode, Plan, Planner, needs_repair
from tapemq_broker.storage.stretches import Stretch, stretches
from tapemq_broker.storage.verify import verify
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog
from tests.support.recovery_cases import Damage

NOW_US = 9_000_000


def plan_of(damage: Damage, mode: Mode = Mode.SALVAGE, known_upto: int = 18) -> Plan:
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    return Planner(LOG_ID, 3, NOW_US).plan(list(stretches(files)), mode, known_upto)


def marks(plan: Plan) -> list[Mark]:
    return [item for output in plan.outputs for item in output.items if isinstance(item, Mark)]


def test_salvage_bridges_each_hole() -> None:
    damage = Damage()
    damage.flip(2, 100)
    damage.flip(14, 100)
    plan = plan_of(damage)
    assert [hole[:2] for hole in plan.holes] == [(2, 4), (14, 16)]
    gaps = [list(iter_batches(mark.data)) for mark in marks(plan)]
    assert len(gaps) == 3
    header, body = gaps[0][0]
    assert (header.base_offset, header.batch_number, header.record_count) == (2, 1, 0)
    assert header.previous_checksum == damage.placed(0).header.header_checksum
    assert decode_gap(body)[:3] == (4, 2, damage.placed(2).header.header_checksum)
    assert "checksum" in decode_gap(body).reason


def test_log_ends_with_a_mark_in_a_new_epoch() -> None:
    damage = Damage()
    damage.flip(2, 100)
    plan = plan_of(damage)
    header, body = next(iter_batches(marks(plan)[-1].data))
    assert (header.log_epoch, header.append_time_us, len(body)) == (3, NOW_US, 0)
    assert header.durable_batch == header.batch_number == 9
    assert plan.end.next_offset == 18


def test_truncate_gives_up_what_is_behind_but_not_the_offsets() -> None:
    damage = Damage()
    damage.flip(8, 100)
    plan = plan_of(damage, Mode.TRUNCATE)
    assert [hole[:2] for hole in plan.holes] == [(8, 18)]
    assert [output.base_offset for output in plan.outputs] == [0, 6]
    assert plan.end.next_offset == 18
    assert plan.end.next_batch == 5


def test_offsets_known_from_elsewhere_are_not_given_out_again() -> None:
    damage = Damage()
    damage.cut(14)
    plan = plan_of(damage, known_upto=30)
    assert plan.holes == [Hole(14, 30, "a segment is missing")]
    assert plan.end.next_offset == 30


def test_each_hole_has_its_own_reason() -> None:
    damage = Damage()
    damage.flip(2, 100)
    damage.image.pop(damage.path(6))
    holes = plan_of(damage, known_upto=20).holes
    assert [hole[:2] for hole in holes] == [(2, 4), (6, 12), (18, 20)]
    assert "checksum" in holes[0].reason
    assert [hole.reason for hole in holes[1:]] == ["a segment is missing"] * 2


def test_hole_across_two_segments_has_a_gap_in_each() -> None:
    damage = Damage()
    damage.flip(10, 100)
    damage.flip(12, 100)
    plan = plan_of(damage)
    assert [output.base_offset for output in plan.outputs] == [0, 6, 12]
    assert [hole[:2] for hole in plan.holes] == [(10, 14)]
    gaps = [next(iter_batches(mark.data)) for mark in marks(plan)[:2]]
    assert [(header.base_offset, header.batch_number) for header, _ in gaps] == [(10, 5), (12, 6)]
    assert [decode_gap(body)[:2] for _, body in gaps] == [(12, 6), (14, 7)]


def test_segment_under_a_wrong_name_is_given_up() -> None:
    damage = Damage()
    damage.image[damage.path(13)] = damage.image.pop(damage.path(12))
    plan = plan_of(damage)
    assert [output.base_offset for output in plan.outputs] == [0, 6]
    assert [hole[:2] for hole in plan.holes] == [(12, 18)]


@pytest.mark.parametrize("kept", [(0, 6, 12), (12,)])
def test_oldest_segment_keeps_its_name_and_begins_with_the_gap(kept: tuple[int, ...]) -> None:
    damage = Damage()
    damage.keep_only(*kept)
    damage.flip(kept[0], 30)
    plan = plan_of(damage)
    assert plan.outputs[0].base_offset == kept[0]
    assert isinstance(plan.outputs[0].items[0], Mark)
    assert [hole[:2] for hole in plan.holes] == [(kept[0], kept[0] + 2)]


@pytest.mark.parametrize("kept", [(0, 6, 12), (6, 12)])
def test_oldest_segment_of_which_nothing_is_left_is_a_gap(kept: tuple[int, ...]) -> None:
    """Its name stays: that is where the log begins."""
    damage = Damage()
    damage.keep_only(*kept)
    path = damage.path(kept[0])
    damage.image[path] = b"x" * len(damage.image[path])
    plan = plan_of(damage)
    assert [output.base_offset for output in plan.outputs] == list(kept)
    assert [hole[:2] for hole in plan.holes] == [(kept[0], kept[1])]


def test_an_oldest_segment_under_a_wrong_name_begins_with_a_gap() -> None:
    """Recovery does not look into it, where the index of a later one says that it was on disk."""
    damage = Damage()
    damage.log.seal(6)
    damage.retake()
    damage.keep_only(0, 6, 12)
    damage.image[damage.path(0)] = damage.image[damage.path(0)][damage.placed(2).position :]
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    diagnosis = diagnose(files, Claims())
    assert not diagnosis.row.refuses
    assert needs_repair(diagnosis, list(stretches(files)))
    assert [hole[:2] for hole in plan_of(damage).holes] == [(0, 2)]
    problems = verify(DataDirectory(files.disk, bytes(16)))
    assert [problem[3:5] for problem in problems if not problem.is_harmless] == [(0, 2)]


def test_a_log_of_which_the_first_mark_is_gone_begins_with_a_gap() -> None:
    """No offset is lost. But the first batch must be the first of all."""
    log = RawLog(MemoryDisk())
    log.mark()
    data = log.data(b"a").data
    log.disk.replace_file(log.path, data)
    found = list(stretches(LogFiles(log.disk, DIRECTORY, LOG_ID)))
    plan = Planner(LOG_ID, 3, NOW_US).plan(found, Mode.SALVAGE, 1)
    (output,) = plan.outputs
    assert isinstance(output.items[0], Mark)
    assert isinstance(output.items[1], Stretch)


def test_log_that_is_gone_begins_behind_what_is_known() -> None:
    damage = Damage()
    damage.image = {}
    plan = plan_of(damage, known_upto=7)
    assert [output.base_offset for output in plan.outputs] == [0]
    assert plan.end.next_offset == 7


def test_garbage_between_whole_batches_leaves_no_hole() -> None:
    damage = Damage()
    path = damage.path(12)
    at = damage.placed(14).position
    damage.image[path] = damage.image[path][:at] + b"garbage" + damage.image[path][at:]
    assert plan_of(damage).holes == []


@pytest.mark.parametrize(
    ("flips", "is_needed"), [([], False), ([14], False), ([2], True), ([2, 14], True), ([12], True)]
)
def test_only_what_was_durable_needs_repair(flips: list[int], is_needed: bool) -> None:
    damage = Damage()
    for offset in flips:
        damage.flip(offset, 100)
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    diagnosis = diagnose(files, Claims())
    assert needs_repair(diagnosis, list(stretches(files))) is is_needed
