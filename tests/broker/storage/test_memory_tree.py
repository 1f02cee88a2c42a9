import pytest

from tapemq_broker.storage.memory_tree import Directory, FileBytes, NameChange, Write


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
