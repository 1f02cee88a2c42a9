"""What must become of a data directory in which one bit is wrong."""

from tapemq_broker.storage.clean import CLEAN_PATH
from tapemq_broker.storage.directory import FORMAT_PATH
from tests.support.damage_outcome import (
    STATE_PATHS,
    BadPlace,
    Outcome,
    open_and_read,
    open_state,
    start,
)
from tests.support.disk_image import flipped, make_disk
from tests.support.sample_directory import DATA_PATH, LAST_PUT, Placed, Sample

CUTS = ("TORN_SHORT", "TORN_ZEROS", "TORN_LAST", "TORN_REORDERED")


def check_flip(sample: Sample, path: str, bit: int) -> str:
    """Turn one bit over, start, and read everything; returns what became of it, in a word."""
    data = flipped(sample.image[path], bit)
    if path in sample.segments:
        outcome = open_and_read(make_disk(sample.data_only() | {path: data}), sample)
        return check_damage(sample, outcome, [sample.batch_at(path, bit // 8)])
    image = sample.image | {path: data}
    if path.endswith(".log"):
        return _check_state(sample, image, path)
    return _check_cache(sample, image, path)


def check_damage(sample: Sample, outcome: Outcome, damaged: list[Placed]) -> str:
    """What may become of a data log in which some batches are not whole; the oldest one first."""
    first = damaged[0]
    places = [BadPlace(placed.path, placed.position) for placed in damaged]
    if outcome.refused is not None:
        assert outcome.refused == places[0]
        return "refused"
    if outcome.row in CUTS:
        assert is_undecidable(sample, damaged), f"{first[:3]} was durable, and is cut off"
        _check_kept_aside(sample, outcome, first)
        return "cut"
    assert outcome.errors, "the damage was not noticed"
    assert set(outcome.errors.values()) <= set(places)
    # What is found by walking past the damage may be out of reach until it is repaired.
    for placed in missing(sample, outcome):
        assert placed.path == first.path
        assert placed.position >= first.position
    return "error when read"


def missing(sample: Sample, outcome: Outcome) -> list[Placed]:
    """The batches of records that were not read."""
    return [
        placed
        for placed in sample.batches
        if placed.header.record_count and placed.header.batch_number not in outcome.read
    ]


def is_undecidable(sample: Sample, damaged: list[Placed]) -> bool:
    """Whether no batch that is left was written after a sync that covered the first damaged one."""
    number = damaged[0].header.batch_number
    left = [p.header for p in sample.batches if p not in damaged]
    claims = [header.durable_batch for header in left if header.batch_number > number]
    return not sample.is_clean and max(claims, default=0) <= number


def _check_kept_aside(sample: Sample, outcome: Outcome, damaged: Placed) -> None:
    assert outcome.recovered is not None
    tail = sample.batches[sample.batches.index(damaged) :]
    cut = outcome.recovered.cut
    assert sum(size for _, size in cut) == sum(placed.header.batch_bytes for placed in tail)
    assert all(outcome.disk.size_bytes(path) == size for path, size in cut)
    assert outcome.recovered.cut_from == damaged.header.base_offset
    assert missing(sample, outcome) == [placed for placed in tail if placed.header.record_count]


def _check_state(sample: Sample, image: dict[str, bytes], path: str) -> str:
    """A flip in a batch of the group log or the catalog."""
    directory = next(one for one in STATE_PATHS if path.startswith(f"{one}/"))
    disk = make_disk(image)
    found = open_state(disk, directory)
    whole = sample.groups if directory.endswith(".groups") else sample.catalog
    if isinstance(found, BadPlace):
        assert found.segment == path
        return "refused"
    aside = [name for name in disk.list_directory(directory) if ".torn-" in name]
    if aside:
        assert not sample.is_clean
        key, before, last = LAST_PUT
        assert whole[key] == last
        assert found == whole | {key: before}, "what was durable is cut off"
        return "cut"
    assert found == whole
    assert sample.is_clean, "the damage was not noticed"
    return "not read: a state that was noted at the clean stop was used"


def _check_cache(sample: Sample, image: dict[str, bytes], path: str) -> str:
    """A flip in an index, a state, the note of a clean stop, or the format."""
    if path == FORMAT_PATH:
        assert start(make_disk(image)) is None
        return "refused"
    for directory, whole in zip(STATE_PATHS, (sample.groups, sample.catalog), strict=True):
        if path == CLEAN_PATH or path.startswith(f"{directory}/"):
            assert open_state(make_disk(image), directory) == whole
    if path == CLEAN_PATH or path.startswith(f"{DATA_PATH}/"):
        outcome = open_and_read(make_disk(image), sample, thorough=True)
        assert outcome.refused is None
        assert outcome.errors == {}
        assert missing(sample, outcome) == []
        assert outcome.total == sample.total
    return "harmless"
