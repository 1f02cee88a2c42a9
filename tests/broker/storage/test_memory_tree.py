import pytest

from tapemq_broker.storage.memory_tree import (
    BLOCK_BYTES,
    Directory,
    FileBytes,
    NameChange,
    Write,
)

BLOCK = BLOCK_BYTES


def test_content_is_durable_up_to_the_synced_writes() -> None:
    content = FileBytes()
    content.write(0, b"0123456789")
    content.truncate(4)
    content.write(4, b"x")
    assert content.now == b"0123x"
    content.sync(2)
    assert content.durable == b"0123"
    assert content.pending == [Write(4, b"x")]


def test_a_surviving_write_beyond_the_end_leaves_zeros() -> None:
    content = FileBytes()
    content.write(0, b"lost")
    content.write(4, b"kept")
    found = content.after_power_cut(content.pending[1:])
    assert found.now == found.durable == b"\0\0\0\0kept"
    assert found.pending == []


def test_a_file_with_two_durable_names_survives_twice() -> None:
    directory = Directory()
    content = FileBytes()
    content.write(0, b"abc")
    content.sync(1)
    directory.durable = {"a": content, "b": content}
    directory.power_cut("", lambda _path, _names: (), lambda _path, _writes: ())
    found = [directory.now[name] for name in "ab"]
    assert all(isinstance(entry, FileBytes) and entry.now == b"abc" for entry in found)
    assert found[0] is not found[1]


def test_a_rename_is_one_change() -> None:
    directory = Directory()
    directory.change(NameChange("a", FileBytes()))
    directory.sync()
    directory.change(NameChange("b", directory.now["a"], old_name="a"))
    assert list(directory.now) == ["b"]
    assert list(directory.durable) == ["a"]
    directory.sync_name("a")
    assert list(directory.durable) == ["b"]
    assert directory.pending == []


def test_directories_are_made_durably() -> None:
    root = Directory()
    root.make(["a", "b"])
    root.power_cut("", lambda _path, _names: (), lambda _path, _writes: ())
    assert isinstance(root.find(["a", "b"]), Directory)
    with pytest.raises(FileNotFoundError):
        root.find(["a", "c"])


def forgotten(*pieces: bytes) -> FileBytes:
    """A file whose pieces were written, and then its sync failed."""
    content = FileBytes()
    for piece in pieces:
        content.write(len(content.now), piece)
    content.fail_sync(list(content.pending), lambda _writes: ())
    return content


def test_a_failed_sync_leaves_bytes_that_no_sync_brings_to_the_disk() -> None:
    content = forgotten(b"x" * BLOCK, b"y")
    assert content.now == b"x" * BLOCK + b"y"
    assert content.forgotten == {0, 1}
    content.sync(len(content.pending))
    assert content.after_power_cut(()).now == b""


def test_what_is_written_into_forgotten_blocks_does_not_reach_the_disk_either() -> None:
    content = forgotten(b"x" * BLOCK, b"y" * 5)
    content.write(BLOCK - 1, b"!" * (2 * BLOCK))
    assert content.pending == [Write(2 * BLOCK, b"!" * (BLOCK - 1))]
    assert content.forgotten == {0, 1}
    content.truncate(0)
    content.write(0, b"anew")
    assert content.pending[1:] == [Write(0, None), Write(0, b"anew")]


def test_a_write_around_a_forgotten_block_reaches_the_disk_on_both_sides() -> None:
    content = FileBytes()
    content.write(BLOCK, b"x")
    content.fail_sync(list(content.pending), lambda _writes: ())
    content.write(BLOCK - 2, b"ab" + b"x" * BLOCK + b"cd")
    assert content.pending == [Write(BLOCK - 2, b"ab"), Write(2 * BLOCK, b"cd")]


def test_what_is_written_after_an_eviction_reaches_the_disk() -> None:
    content = forgotten(b"x" * BLOCK, b"y" * 5)
    content.evict({0})
    content.write(0, b"anew")
    assert content.pending == [Write(0, b"anew")]


def test_a_block_written_during_a_failed_sync_is_forgotten_too() -> None:
    content = FileBytes()
    content.write(0, b"a" * 10)
    covered = list(content.pending)
    content.write(10, b"b" * BLOCK)
    content.fail_sync(covered, lambda _writes: ())
    assert content.forgotten == {0}
    assert content.pending == [Write(BLOCK, b"b" * 10)]


def test_a_part_of_a_failed_sync_may_reach_the_disk() -> None:
    content = FileBytes()
    content.write(0, b"ab")
    content.fail_sync(list(content.pending), lambda _writes: [Write(0, b"a")])
    assert content.durable == b"a"
    assert content.now == b"ab"


def test_what_another_sync_has_covered_meanwhile_cannot_fail_any_more() -> None:
    content = FileBytes()
    content.write(0, b"ab")
    covered = list(content.pending)
    content.sync(1)
    content.fail_sync(covered, lambda writes: writes)
    assert content.durable == b"ab"
    assert not content.forgotten


def test_a_failed_sync_does_not_forget_a_size() -> None:
    content = FileBytes()
    content.write(0, b"0123456789")
    content.sync(1)
    content.truncate(4)
    content.fail_sync(list(content.pending), lambda _writes: ())
    assert content.pending == [Write(4, None)]


def test_evicted_blocks_read_as_they_are_on_disk() -> None:
    content = FileBytes()
    content.write(0, b"old")
    content.sync(1)
    content.write(0, b"new" + b"x" * BLOCK)
    content.fail_sync(list(content.pending), lambda _writes: ())
    content.evict([0])
    assert content.now == b"old" + bytes(BLOCK - 3) + b"x" * 3
    assert content.forgotten == {1}
    content.evict([1])
    assert content.now == b"old" + bytes(BLOCK)


def test_a_block_that_was_cut_off_is_not_forgotten_but_gone() -> None:
    content = forgotten(b"x" * (BLOCK + 1))
    content.truncate(BLOCK)
    assert content.forgotten == {0}
    content.truncate(BLOCK - 1)
    assert content.forgotten == {0}
    content.truncate(0)
    assert content.forgotten == set()


def test_all_files_are_found() -> None:
    root = Directory()
    root.make(["a", "b"])
    root.find(["a", "b"]).change(NameChange("f", FileBytes()))
    root.change(NameChange("g", FileBytes()))
    assert [path for path, _ in root.files("")] == ["a/b/f", "g"]
