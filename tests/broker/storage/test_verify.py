import pytest

from tapemq_broker.storage.clean import write_clean
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.verify import Problem, verify
from tests.support.disk_image import flipped, take_image
from tests.support.raw_log import DIRECTORY
from tests.support.recovery_cases import CASES, Case, Damage, prepare


def problems(disk: MemoryDisk) -> list[Problem]:
    before = take_image(disk)
    found = list(verify(DataDirectory(disk, bytes(16))))
    assert take_image(disk) == before
    return found


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
    if claims.must_exist or claims.durable_floor or not disk.list_directory(DIRECTORY):
        return  # Only what is in the directory is checked.
    found = [problem for problem in problems(disk) if problem.log]
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
    found = problems(damage.disk())
    assert [(problem.segment, problem.is_harmless) for problem in found] == [
        ("CLEAN", True),
        (index, True),
    ]


def test_a_topic_that_the_catalog_does_not_know_is_a_problem_if_it_has_records() -> None:
    disk = Damage().disk()
    topic = DIRECTORY.rpartition("/")[0]
    disk.make_directory("topics/default/empty~0000000000000009/0")
    known = list(verify(DataDirectory(disk, bytes(16)), None, {topic}))
    found = list(verify(DataDirectory(disk, bytes(16)), None, set()))
    empty = ("topics/default/empty~0000000000000009", True)
    assert [(problem.log, problem.is_harmless) for problem in known] == [empty]
    assert sorted((problem.log, problem.is_harmless) for problem in found) == sorted(
        [empty, (topic, False)]
    )
    assert {"remove it by hand" in problem.advice for problem in found} == {True}
