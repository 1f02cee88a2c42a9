import pytest

from tapemq.batch import Header
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.decision import Place
from tapemq_broker.storage.evidence import newest_proof
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.memory_disk import MemoryDisk
from tapemq_broker.storage.survey import KnownSegment, Proof, Survey
from tests.support.disk_image import take_image
from tests.support.raw_log import DIRECTORY, LOG_ID, RawLog
from tests.support.recovery_cases import Damage


def survey_of(damage: Damage, *, proven: bool = True) -> tuple[Survey, list[int]]:
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    survey, seen = Survey(files, files.bases()), list[int]()

    def visit(segment_base: int, position: int, header: Header, body: memoryview) -> None:
        seen.append(header.base_offset)

    survey.run(newest_proof(files, files.bases()) if proven else None, visit)
    return survey, seen


def test_sound_log_is_surveyed_to_its_end() -> None:
    damage = Damage()
    survey, seen = survey_of(damage)
    assert survey.trouble is None
    assert survey.end == damage.log.end
    assert survey.tail_base == 6
    assert seen == [6, 8, 10, 12, 14, 16]
    assert survey.segments == [
        KnownSegment(base, len(damage.image[damage.path(base)]), damage.placed(last).header)
        for base, last in ((0, 4), (6, 10), (12, 16))
    ]


def test_without_a_proof_everything_is_walked_through() -> None:
    survey, seen = survey_of(Damage(), proven=False)
    assert seen == list(range(0, 18, 2))
    assert survey.tail_base == 0


def test_rot_inside_a_sealed_segment_is_left_to_the_readers() -> None:
    damage = Damage()
    damage.flip(2, 100)
    assert survey_of(damage)[0].trouble is None


@pytest.mark.parametrize(
    ("offset", "byte", "place"),
    [(4, 100, Place.DAMAGED), (6, 5, Place.DAMAGED), (12, 100, Place.DAMAGED)],
)
def test_first_bad_place_is_found(offset: int, byte: int, place: Place) -> None:
    damage = Damage()
    damage.flip(offset, byte)
    trouble = survey_of(damage)[0].trouble
    assert trouble is not None
    placed = damage.placed(offset)
    assert trouble[:3] == (placed.segment_base, placed.position, place)


def test_sound_part_ends_at_the_bad_place() -> None:
    damage = Damage()
    damage.flip(14, 100)
    survey, seen = survey_of(damage)
    assert seen == [6, 8, 10, 12]
    assert survey.end.next_offset == 14
    assert survey.segments[-1].size_bytes == damage.placed(14).position
    assert survey.trouble is not None
    assert survey.trouble.header == damage.placed(14).header


@pytest.mark.parametrize("proven", [True, False])
def test_missing_segment_is_a_gap_at_the_end_of_the_one_before(proven: bool) -> None:
    damage = Damage()
    damage.keep_only(0, 12)
    trouble = survey_of(damage, proven=proven)[0].trouble
    assert trouble is not None
    assert trouble[:3] == (0, len(damage.image[damage.path(0)]), Place.GAP)


def test_chain_is_taken_up_where_older_segments_were_removed() -> None:
    damage = Damage()
    damage.keep_only(6, 12)
    survey, seen = survey_of(damage)
    assert survey.trouble is None
    assert survey.end == damage.log.end
    assert seen == [6, 8, 10, 12, 14, 16]


def test_chain_across_segments_is_checked() -> None:
    damage = Damage()
    damage.log.end = damage.log.end._replace(last_checksum=1)
    damage.log.roll()
    damage.log.data(b"continues another batch")
    damage.retake()
    trouble = survey_of(damage)[0].trouble
    assert trouble is not None
    assert trouble[:3] == (18, 0, Place.FOREIGN)
    assert survey_of(damage)[0].segments[-1] == KnownSegment(18, 0, None)


def test_segment_that_begins_too_early_is_foreign() -> None:
    damage = Damage()
    damage.image[damage.path(15)] = b"garbage"
    trouble = survey_of(damage)[0].trouble
    assert trouble is not None
    assert trouble[:3] == (15, 0, Place.FOREIGN)


def test_half_a_batch_from_elsewhere_is_foreign() -> None:
    damage = Damage()
    size_bytes = len(damage.image[damage.path(12)])
    damage.append(damage.placed(2).data[:-1])
    trouble = survey_of(damage)[0].trouble
    assert trouble is not None
    assert trouble[:3] == (12, size_bytes, Place.FOREIGN)


def test_log_that_does_not_begin_with_its_first_batch_is_foreign() -> None:
    log, damage = RawLog(MemoryDisk()), Damage()
    mark = log.mark()
    log.data(b"a")
    data = take_image(log.disk)[damage.path(0)]
    damage.image = {damage.path(0): data[mark.end :]}
    trouble = survey_of(damage)[0].trouble
    assert trouble is not None
    assert trouble[:3] == (0, 0, Place.FOREIGN)


def test_what_may_be_in_the_page_cache_only_is_told() -> None:
    assert survey_of(Damage())[0].unproven.starts()


def test_last_segment_may_be_empty() -> None:
    damage = Damage()
    damage.image[damage.path(18)] = b""
    survey, _ = survey_of(damage)
    assert survey.trouble is None
    assert survey.end == damage.log.end
    assert survey.segments[-1] == KnownSegment(18, 0, None)
    assert not survey.is_empty


@pytest.mark.parametrize("next_offset", [18, 17])
def test_a_stop_in_an_empty_segment_proves_it(next_offset: int) -> None:
    """Retention has removed all that was in front of it."""
    damage = Damage()
    damage.image = {damage.path(18): b""}
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    survey, end = Survey(files, files.bases()), damage.log.end
    survey.run(Proof(18, 0, end._replace(next_offset=next_offset)), None)
    fits = next_offset == 18
    assert survey.segments == [KnownSegment(18, 0, None)]
    assert survey.end == (end if fits else LogEnd(next_offset=18))
    assert (survey.covered, survey.tail_base) == ((True, None) if fits else (False, 18))


@pytest.mark.parametrize("has_grown", [False, True])
def test_a_stop_in_an_empty_segment_proves_the_ones_before_it(has_grown: bool) -> None:
    """The last one before it has ended by its age, and is as good as any full one."""
    damage = Damage()
    proof = Proof(18, 0, damage.log.end)
    damage.flip(14, 100)  # left to the readers
    damage.image[damage.path(18)] = b""
    if has_grown:
        damage.log.roll()
        damage.image[damage.path(18)] = damage.log.data(b"since").data
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    survey = Survey(files, files.bases())
    survey.run(proof, None)
    assert survey.trouble is None
    assert survey.end == damage.log.end
    assert [segment.base_offset for segment in survey.segments] == [0, 6, 12, 18]
    assert (survey.covered, survey.tail_base) == ((False, 18) if has_grown else (True, None))


def test_an_empty_segment_does_not_prove_a_log_that_ends_otherwise() -> None:
    damage = Damage()
    damage.image[damage.path(18)] = b""
    files = LogFiles(damage.disk(), DIRECTORY, LOG_ID)
    survey, end = Survey(files, files.bases()), damage.log.end
    survey.run(Proof(18, 0, end._replace(next_batch=end.next_batch + 1)), None)
    assert (survey.end, survey.covered, survey.tail_base) == (end, False, 18)


def test_segment_with_another_name_is_not_passed_by() -> None:
    damage = Damage()
    damage.log.seal()
    damage.retake()
    damage.image[damage.path(7)] = damage.image.pop(damage.path(6))
    trouble = survey_of(damage)[0].trouble
    assert trouble is not None
    assert trouble[:3] == (0, len(damage.image[damage.path(0)]), Place.GAP)


def test_empty_log() -> None:
    damage = Damage()
    damage.image = {damage.path(0): b""}
    survey, _ = survey_of(damage)
    assert survey.is_empty
    assert survey.end == LogEnd()
    assert not survey.covered


@pytest.mark.parametrize("with_mark", [True, False])
def test_mark_covers_what_is_before_it(with_mark: bool) -> None:
    damage = Damage()
    if with_mark:
        damage.log.mark()
        damage.retake()
    assert survey_of(damage)[0].covered is with_mark
