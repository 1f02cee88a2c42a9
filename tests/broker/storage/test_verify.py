import errno

import pytest

from tapemq.batch import Kind, Role
from tapemq_broker.storage.clean import write_clean
from tapemq_broker.storage.diagnosis import Claims
from tapemq_broker.storage.directory import CATALOG_ID, CATALOG_PATH, DataDirectory
from tapemq_broker.storage.known_logs import KnownLogs
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.state_log import StateLog
from tapemq_broker.storage.verify import Problem, verify
from tests.support.disk_image import fill, flipped, take_image
from tests.support.faulty_disk import FaultyDisk, failing
from tests.support.raw_log import DIRECTORY
from tests.support.recovery_cases import CASES, Case, Damage, prepare


def problems(disk: MemoryDisk, claims: Claims | None = None) -> list[Problem]:
    """``claims``, if any, are what the rest of the data directory says of the log."""
    before = take_image(disk)
    directory, known, floor = DataDirectory(disk, bytes(16)), None, 0
    if claims is not None:
        place = directory.place_of(DIRECTORY)
        assert place is not None
        logs = [place] if claims != Claims() else []
        known, floor = KnownLogs({place.path.rpartition("/")[0]}, logs), claims.durable_floor
    found = list(verify(directory, None, known, lambda place: floor))
    assert take_image(disk) == before
    return found


def make_catalog(disk: MemoryDisk) -> None:
    StateLog.open(disk, CATALOG_PATH, CATALOG_ID, Kind.CATALOG, now_us=1).close(
        clean=False, now_us=1
    )


def test_sound_directory_has_no_problems_and_every_byte_is_checked() -> None:
    damage, checked = Damage(), list[int]()
    assert list(verify(DataDirectory(damage.disk(), bytes(16)), checked.append)) == []
    logs = [data for path, data in damage.image.items() if path.endswith(".log")]
    assert sum(checked) == sum(map(len, logs))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_recovery_refuses_is_a_problem_and_a_torn_tail_a_harmless_one(case: Case) -> None:
    disk, claims = prepare(case)
    if claims.clean:
        write_clean(disk, [claims.clean])
    make_catalog(disk)
    found = [problem for problem in problems(disk, claims) if problem.log]
    if case.row.refuses:
        assert [problem for problem in found if not problem.is_harmless]
    elif case.row.cuts:
        assert [problem.is_harmless for problem in found] == [True]
    else:
        assert found == []


def test_rot_that_recovery_does_not_look_for_is_found() -> None:
    damage = Damage()
    damage.flip(2, 100)
    damage.flip(8, 30)
    found = problems(damage.disk())
    assert [problem[:5] for problem in found] == [
        (DIRECTORY, damage.path(0), damage.placed(2).position, 2, 4),
        (DIRECTORY, damage.path(6), damage.placed(8).position, 8, 10),
    ]
    assert "checksum" in found[0].problem
    assert f"tapemq repair {DIRECTORY}" in found[0].advice
    assert not found[0].is_harmless


def test_rot_and_a_torn_tail_are_told_apart() -> None:
    damage = Damage()
    damage.flip(2, 100)
    damage.flip(14, 100)
    assert [(p.from_offset, p.is_harmless) for p in problems(damage.disk())] == [
        (2, False),
        (14, True),
    ]


def test_damaged_caches_are_harmless() -> None:
    damage = Damage()
    index = f"{DIRECTORY}/{0:020}.index"
    damage.image[index] = flipped(damage.image[index], 77)
    damage.image["CLEAN"] = b"damaged"
    damage.image["BOOT"] = b"damaged"
    found = problems(damage.disk())
    assert [(problem.segment, problem.is_harmless) for problem in found] == [
        ("CLEAN", True),
        ("BOOT", True),
        (index, True),
    ]


def test_a_topic_that_the_catalog_does_not_know_is_a_problem_if_it_has_records() -> None:
    disk = Damage().disk()
    topic = DIRECTORY.rpartition("/")[0]
    disk.make_directory("topics/default/empty~0000000000000009/0")
    make_catalog(disk)
    known = list(verify(DataDirectory(disk, bytes(16)), None, KnownLogs({topic}, [])))
    found = list(verify(DataDirectory(disk, bytes(16)), None, KnownLogs(set(), [])))
    empty = ("topics/default/empty~0000000000000009", True)
    assert [(problem.log, problem.is_harmless) for problem in known] == [empty]
    assert sorted((problem.log, problem.is_harmless) for problem in found) == sorted(
        [empty, (topic, False)]
    )
    assert {"remove it by hand" in problem.advice for problem in found} == {True}


def test_what_is_wrong_with_a_deleted_topic_is_no_matter_unless_the_catalog_is_damaged() -> None:
    damage = Damage()
    damage.flip(2, 100)
    disk = damage.disk()
    known = KnownLogs(set(), [], deleted={DIRECTORY.rpartition("/")[0]})
    (missing, *others) = verify(DataDirectory(disk, bytes(16)), None, known)
    assert missing.log == CATALOG_PATH
    assert {problem.log for problem in others} == {DIRECTORY}
    make_catalog(disk)
    assert list(verify(DataDirectory(disk, bytes(16)), None, known)) == []


def test_a_partition_that_the_catalog_does_not_know_is_a_problem_if_it_has_records() -> None:
    disk = Damage().disk()
    directory, topic = DataDirectory(disk, bytes(16)), DIRECTORY.rpartition("/")[0]
    disk.make_directory(f"{topic}/{7}")
    make_catalog(disk)
    others = [directory.place_of(f"{topic}/{number}") for number in (0, 1, 2)]
    known = [place for place in others if place and place.path != DIRECTORY]
    found = [
        (problem.log, problem.is_harmless)
        for problem in verify(directory, None, KnownLogs({topic}, known))
        if "no such partition" in problem.problem
    ]
    assert found == [(DIRECTORY, False), (f"{topic}/7", True)]


def test_a_catalog_that_is_gone_is_damage_and_what_it_knew_does_not_count() -> None:
    disk = Damage().disk()
    gone = DataDirectory(disk, bytes(16)).place_of("topics/default/gone~0000000000000009/0")
    assert gone is not None
    found = list(verify(DataDirectory(disk, bytes(16)), None, KnownLogs(set(), [gone])))
    assert [(problem.log, problem.is_harmless) for problem in found] == [(CATALOG_PATH, False)]


def test_without_a_catalog_the_note_of_a_clean_stop_says_what_is_missing() -> None:
    damage = Damage()
    damage.log.synced()
    disk, entry = damage.disk(), damage.log.clean_entry()
    sibling = entry._replace(log_id=entry.log_id._replace(role=Role.GROUPS))
    write_clean(disk, [entry, sibling])
    (problem,) = [problem for problem in problems(disk) if not problem.is_harmless]
    assert problem.log == f"{DIRECTORY}.groups"


def test_a_new_directory_has_no_problems() -> None:
    directory = DataDirectory.open(MemoryDisk(), bytes(16))
    assert list(verify(directory, None, KnownLogs(set(), []))) == []


@pytest.mark.parametrize(("suffix", "is_harmless"), [(".log", False), (".index", True)])
def test_what_the_disk_does_not_give_is_named_and_the_rest_is_checked(
    suffix: str, is_harmless: bool
) -> None:
    image = Damage().image | {f"{DIRECTORY}/{6:020}.index": b"x"}
    other = DIRECTORY.replace("orders~0000000000000007", "others~0000000000000008")
    disk = FaultyDisk()
    fill(disk, image | {f"{other}/{0:020}.log": b"nonsense"})
    disk.fail = failing("open", errno.EIO, path=f"{DIRECTORY}/{6:020}{suffix}")
    found = list(verify(DataDirectory(disk, bytes(16))))
    assert [(problem.log, problem.is_harmless) for problem in found] == [
        (DIRECTORY, is_harmless),
        (other, True),
    ]
    assert "open fails" in found[0].problem
