import errno

import pytest

from tapemq.batch import HEADER_BYTES, Kind, LogId, Role, checksum
from tapemq_broker.storage import scan
from tapemq_broker.storage.decision import Place
from tapemq_broker.storage.gap import Gap
from tapemq_broker.storage.memory_disk import MemoryDisk, MemoryFile
from tapemq_broker.storage.scan import (
    WINDOW_BYTES,
    BadPlace,
    Batch,
    Window,
    last_batch,
    read_batch,
    resync,
)
from tests.support.disk_image import flipped
from tests.support.raw_log import LOG_ID, RawLog


class CountingFile(MemoryFile):
    """Notes the sizes of the reads; fails where told to."""

    def __init__(self, file: MemoryFile, unreadable_from: int | None = None) -> None:
        super().__init__(file.path, file.content, None)
        self.reads: list[int] = []
        self.got_bytes = 0
        self.unreadable_from = unreadable_from

    def read(self, position: int, size_bytes: int) -> bytes:
        self.reads.append(size_bytes)
        self.got_bytes += max(0, min(size_bytes, self.size_bytes - position))
        if self.unreadable_from is not None and position + size_bytes > self.unreadable_from:
            raise OSError(errno.EIO, "input/output error")
        return super().read(position, size_bytes)


def window_of(data: bytes) -> Window:
    disk = MemoryDisk()
    file = disk.open("x", create=True)
    file.append([data])
    return Window(file)


@pytest.fixture
def log() -> RawLog:
    log = RawLog(MemoryDisk())
    for number in range(5):
        log.data(b"value %d" % number, b"x" * 300 * number)
    return log


def data_of(log: RawLog) -> bytes:
    return log.disk.read_file(log.path) or b""


def walk(window: Window) -> tuple[list[int], BadPlace | None]:
    positions, position = [], 0
    while isinstance(found := read_batch(window, position), Batch):
        positions.append(position)
        position += found.header.batch_bytes
    return positions, found


def test_whole_segment_is_walked(log: RawLog) -> None:
    positions, bad = walk(window_of(data_of(log)))
    assert positions == [placed.position for placed in log.placed]
    assert bad is None


def test_batches_come_with_header_and_body(log: RawLog) -> None:
    found = read_batch(window_of(data_of(log)), log.placed[3].position)
    assert isinstance(found, Batch)
    assert found.header == log.placed[3].header
    assert found.body == log.placed[3].body


def test_every_truncation_is_short(log: RawLog) -> None:
    data = data_of(log)
    ends = {0, *(placed.end for placed in log.placed)}
    for size in range(len(data)):
        positions, bad = walk(window_of(data[:size]))
        assert positions == [placed.position for placed in log.placed if placed.end <= size]
        assert (bad is None) == (size in ends)
        if bad is not None:
            assert bad.place is Place.SHORT
            whole_header = size - bad.position >= HEADER_BYTES
            assert (bad.header is not None) == whole_header


def test_every_flipped_bit_is_found_in_its_batch(log: RawLog) -> None:
    data, placed = data_of(log), log.placed[1]
    for bit in range(8 * placed.position, 8 * placed.end):
        positions, bad = walk(window_of(flipped(data, bit)))
        assert positions == [0]
        assert bad is not None
        assert bad.position == placed.position
        assert bad.place is Place.DAMAGED
        in_header = bit < 8 * (placed.position + HEADER_BYTES)
        assert (bad.header is None) == in_header


@pytest.mark.parametrize("zeros", [1, 87, 88, 4096, 2 * WINDOW_BYTES + 1])
def test_zeros_to_the_end_are_told_from_damage(log: RawLog, zeros: int) -> None:
    bad = walk(window_of(data_of(log) + bytes(zeros)))[1]
    assert bad is not None
    assert bad.place is Place.ZEROS
    bad = walk(window_of(data_of(log) + bytes(zeros) + b"\1"))[1]
    assert bad is not None
    assert bad.place is (Place.SHORT if zeros + 1 < HEADER_BYTES else Place.DAMAGED)


def test_newer_format_is_told_from_damage(log: RawLog) -> None:
    head = log.placed[0].data[:4] + b"\2" + log.placed[0].data[5 : HEADER_BYTES - 4]
    found = read_batch(window_of(head + checksum(head).to_bytes(4, "big")), 0)
    assert isinstance(found, BadPlace)
    assert found.place is Place.NEWER


def test_unreadable_bytes_are_told_from_damage(log: RawLog) -> None:
    file = CountingFile(MemoryDisk().open("x", create=True), unreadable_from=0)
    file.append([data_of(log)])
    found = read_batch(Window(file), 0)
    assert isinstance(found, BadPlace)
    assert found.place is Place.UNREADABLE


def test_reads_are_of_a_window_or_one_larger_batch() -> None:
    log = RawLog(MemoryDisk())
    for size in (10, 2 * WINDOW_BYTES, 10, 10):
        log.data(b"x" * size)
    file = CountingFile(MemoryDisk().open("x", create=True))
    file.append([data_of(log)])
    assert walk(Window(file))[1] is None
    assert max(file.reads) == log.placed[1].header.body_length
    assert len(file.reads) <= 4


def test_resync_finds_sound_headers_behind_damage(log: RawLog) -> None:
    data = data_of(log)
    behind = [(placed.position, placed.header) for placed in log.placed[2:]]
    assert list(resync(window_of(data), log.placed[1].position + 1, LOG_ID)) == behind
    shifted = b"garbage" + data[log.placed[2].position :]
    found = [header for _, header in resync(window_of(shifted), 0, LOG_ID)]
    assert found == [header for _, header in behind]
    assert list(resync(window_of(data), 0, LogId(7, 0, Role.GROUPS))) == []


def test_resync_finds_a_header_across_two_windows(log: RawLog) -> None:
    for before in range(WINDOW_BYTES - HEADER_BYTES - 1, WINDOW_BYTES + 2):
        window = window_of(bytes(before) + log.placed[0].data)
        assert list(resync(window, 0, LOG_ID)) == [(before, log.placed[0].header)]


def test_resync_finds_a_header_across_two_pieces(log: RawLog) -> None:
    piece_bytes = scan._PIECE_BYTES
    for before in range(piece_bytes - HEADER_BYTES - 1, piece_bytes + 2):
        window = window_of(b"?" * before + data_of(log))
        assert next(resync(window, 0, LOG_ID))[0] == before


def test_batches_are_told_from_damage_once_headers_were_searched(log: RawLog) -> None:
    sound, last = data_of(log), log.placed[-1]
    for data, reason in ((sound, ""), (flipped(sound, 8 * len(sound) - 1), "not what was")):
        window = window_of(data)
        places = [found for found, _ in resync(window, 0, LOG_ID)]
        assert window.was_searched
        assert places == [placed.position for placed in log.placed]
        found = read_batch(window, last.position)
        assert isinstance(found, BadPlace if reason else Batch)
        if isinstance(found, BadPlace):
            assert (found.place, reason in found.reason) == (Place.DAMAGED, True)


def test_sound_header_counts_though_its_body_is_damaged(log: RawLog) -> None:
    data = flipped(data_of(log), 8 * (log.placed[3].end - 1))
    found = [position for position, _ in resync(window_of(data), 1, LOG_ID)]
    assert found == [placed.position for placed in log.placed[1:]]


def test_header_made_up_in_a_payload_hides_nothing(log: RawLog) -> None:
    fake = log.placed[0].header._replace(body_length=100_000, batch_number=1000).encode()[0]
    log.append(Kind.DATA, 1, fake)
    log.data(b"after")
    data = flipped(data_of(log), 8 * log.placed[5].position)
    found = [position for position, _ in resync(window_of(data), log.placed[4].end, LOG_ID)]
    assert found == [log.placed[5].position + HEADER_BYTES, log.placed[6].position]


def test_very_many_headers_made_up_in_a_payload_are_passed_in_one_reading(log: RawLog) -> None:
    """Each says that all the rest is its body: to check each by itself takes hours."""
    count, each_bytes = 300, 8192
    model = log.placed[0].header._replace(batch_number=1000)
    fakes = (
        model._replace(body_length=each_bytes * number).encode()[0].ljust(each_bytes, b"x")
        for number in range(count, 0, -1)
    )
    log.append(Kind.DATA, 1, b"".join(fakes))
    log.data(b"after")
    file = CountingFile(MemoryDisk().open("x", create=True))
    file.append([flipped(data_of(log), 8 * log.placed[5].position)])
    found = [position for position, _ in resync(Window(file), log.placed[4].end, LOG_ID)]
    assert (len(found), found[-1]) == (count + 1, log.placed[6].position)
    assert file.got_bytes < 6 * file.size_bytes


def test_very_many_magics_are_passed_in_one_reading() -> None:
    file = CountingFile(MemoryDisk().open("x", create=True))
    file.append([(b"TMQB" + bytes(4092)) * 400])
    assert list(resync(Window(file), 1, LOG_ID)) == []
    assert file.got_bytes < 2 * file.size_bytes


def test_body_that_cannot_be_read_is_neither_sound_nor_damaged(log: RawLog) -> None:
    log.data(b"x" * 2 * WINDOW_BYTES)
    fourth, last = log.placed[4], log.placed[5]
    file = CountingFile(MemoryDisk().open("x", create=True), unreadable_from=last.end - 1)
    file.append([data_of(log)])
    window = Window(file)
    with pytest.raises(OSError, match="input/output"):
        window.is_sound(last.position, last.header)
    window = Window(file)
    assert window.is_sound(fourth.position, fourth.header)
    found = read_batch(window, last.position)
    assert isinstance(found, BadPlace)
    assert (found.place, found.header) == (Place.UNREADABLE, None)
    assert not window.is_sound(fourth.position, fourth.header._replace(body_length=1 << 30))


def test_last_batch_is_found_from_the_end() -> None:
    log = RawLog(MemoryDisk())
    for size in (10, 3 * WINDOW_BYTES, 10, 100_000):
        log.data(b"x" * size)
        file = CountingFile(MemoryDisk().open("x", create=True))
        file.append([data_of(log)])
        window, last = Window(file), log.placed[-1]
        found = last_batch(window, window.size_bytes, last.header.header_checksum)
        assert found is not None
        assert (found.position, found.header) == (last.position, last.header)
        assert last_batch(window, window.size_bytes, last.header.header_checksum ^ 1) is None
        assert last_batch(window, window.size_bytes - 1, last.header.header_checksum) is None


def test_last_batch_that_is_a_gap_is_found_by_the_checksum_that_it_names(log: RawLog) -> None:
    gap = log.append(Kind.GAP, 0, Gap(100, 50, 0x12345678, "given up").encode())
    window = window_of(data_of(log))
    found = last_batch(window, gap.end, 0x12345678)
    assert found is not None
    assert (found.position, found.header) == (gap.position, gap.header)
    assert last_batch(window, gap.end, 0x12345679) is None


@pytest.mark.parametrize(
    ("last_bytes", "read_bytes"), [(10, 64 * 1024), (100_000, 64 * 1024 + 1024 * 1024)]
)
def test_last_batch_is_sought_in_little_first(last_bytes: int, read_bytes: int) -> None:
    log = RawLog(MemoryDisk())
    log.data(b"x" * 2 * WINDOW_BYTES)
    log.data(b"x" * last_bytes)
    file = CountingFile(MemoryDisk().open("x", create=True))
    file.append([data_of(log)])
    last = log.placed[-1].header
    assert last_batch(Window(file), file.size_bytes, last.header_checksum) is not None
    assert file.got_bytes == read_bytes


def test_damaged_or_unreadable_last_batch_is_not_found(log: RawLog) -> None:
    data, last = data_of(log), log.placed[-1]
    for bit in range(8 * last.position, 8 * last.end, 7):
        window = window_of(flipped(data, bit))
        assert last_batch(window, len(data), last.header.header_checksum) is None
    file = CountingFile(MemoryDisk().open("x", create=True), unreadable_from=0)
    file.append([data])
    assert last_batch(Window(file), len(data), last.header.header_checksum) is None


def test_what_is_buffered_is_not_read_again(log: RawLog) -> None:
    file = CountingFile(MemoryDisk().open("x", create=True))
    file.append([data_of(log)])
    window = Window(file)
    for position in (5, 5, 6, file.size_bytes - 10):
        view = window.view(position, WINDOW_BYTES)
        assert view == data_of(log)[position:]
    assert len(file.reads) == 1


def test_search_goes_on_behind_what_only_looks_like_a_header(log: RawLog) -> None:
    good = log.placed[0].data
    data = good + good[:20] + bytes(HEADER_BYTES) + good
    second = len(good) + 20 + HEADER_BYTES
    header = log.placed[0].header
    assert list(resync(window_of(data), 0, LOG_ID)) == [(0, header), (second, header)]


def test_what_is_in_a_sound_body_is_no_header(log: RawLog) -> None:
    fake = log.placed[0].header._replace(batch_number=1000).encode()[0]
    log.append(Kind.DATA, 1, fake)
    found = [position for position, _ in resync(window_of(data_of(log)), 0, LOG_ID)]
    assert found == [placed.position for placed in log.placed]


def test_last_batch_is_found_though_more_is_in_front_than_is_looked_at(
    log: RawLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan, "_REACHES_BYTES", (200, 1600))
    for last in log.placed[2:]:
        data = data_of(log)[: last.end]
        assert len(data) > 1600 or last is not log.placed[-1]
        found = last_batch(window_of(data), len(data), last.header.header_checksum)
        assert found is not None
        assert found.position == last.position
