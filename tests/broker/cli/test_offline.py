from pathlib import Path

import pytest

from tapemq.batch import Kind, LogId, Role
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.offline import committed_upto, known_logs, opened
from tapemq_broker.core.group import Position
from tapemq_broker.core.queue.entries import Head, dead_key, head_key
from tapemq_broker.core.results import TopicInfo
from tapemq_broker.core.topics import CATALOG, entry, gone_key, schedule_key
from tapemq_broker.storage.directory import DataDirectory
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.state_log import StateLog

TOPIC = "topics/default/orders~000000000000002a"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with a topic of one partition."""
    root = tmp_path / "data"
    disk = OsDisk(str(root))
    DataDirectory.open(disk, bytes(16))
    disk.make_directory(f"{TOPIC}/0")
    disk.close()
    return root


def test_a_directory_is_opened_as_a_whole(data_dir: Path) -> None:
    with opened(data_dir) as data:
        assert (data.root, data.place) == (data_dir, None)
        with pytest.raises(CommandError) as caught:
            data.needs_place()
    assert caught.value.code == Exit.USAGE
    assert caught.value.advice == f"list them: tapemq dump {data_dir}"


@pytest.mark.parametrize("role", [Role.DATA, Role.GROUPS])
def test_a_log_is_found_within_its_directory(data_dir: Path, role: Role) -> None:
    path = data_dir / TOPIC / ("0.groups" if role is Role.GROUPS else "0")
    path.mkdir(exist_ok=True)
    with opened(path) as data:
        place = data.needs_place()
    assert data.root == data_dir
    assert (place.topic, place.log_id) == ("orders", LogId(42, 0, role))


def test_a_log_is_found_in_the_data_directory_of_the_settings(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPEMQ_DATA_DIR", str(data_dir))
    with opened(Path(f"{TOPIC}/0")) as data:
        assert data.needs_place().topic == "orders"
    with opened(None) as data:
        assert (data.root, data.place) == (data_dir, None)


def test_the_working_directory_counts_too(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data_dir / "topics")
    with opened(Path("default/orders~000000000000002a/0")) as data:
        assert data.needs_place().topic == "orders"


@pytest.mark.parametrize("part", ["topics", TOPIC, f"{TOPIC}/x"])
def test_what_is_no_log_is_refused(data_dir: Path, part: str) -> None:
    (data_dir / part).mkdir(exist_ok=True)
    with pytest.raises(CommandError) as caught, opened(data_dir / part):
        pass
    assert caught.value.code == Exit.USAGE
    assert caught.value.text == f"{data_dir / part} is not the directory of a log"


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught, opened(tmp_path / "gone"):
        pass
    assert (caught.value.code, caught.value.text) == (
        Exit.USAGE,
        f"{tmp_path}/gone does not exist",
    )


def test_what_is_no_data_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught, opened(tmp_path):
        pass
    assert caught.value.code == Exit.DATA_REFUSED
    assert caught.value.text.startswith(f"{tmp_path}: there is no file FORMAT")


def test_a_directory_in_use_is_refused(data_dir: Path) -> None:
    with (
        opened(data_dir, for_writing=True),
        pytest.raises(CommandError) as caught,
        opened(data_dir),
    ):
        pass
    assert caught.value.code == Exit.DATA_REFUSED
    assert "another process uses the data directory" in caught.value.text


def test_bad_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEMQ_PORT", "x")
    with pytest.raises(CommandError) as caught, opened(None):
        pass
    assert caught.value.code == Exit.BAD_CONFIGURATION


def commit(data_dir: Path, **cursors: int) -> None:
    """Put positions of groups where a broker keeps them."""
    put(data_dir, {name.encode(): Position(at).encode() for name, at in cursors.items()})


def put(data_dir: Path, entries: dict[bytes, bytes]) -> None:
    """Put entries of groups where a broker keeps them."""
    disk = OsDisk(str(data_dir))
    log_id = LogId(42, 0, Role.GROUPS)
    state = StateLog.open(disk, f"{TOPIC}/0.groups", log_id, Kind.GROUP, now_us=1)
    state.put(entries, now_us=1)
    disk.close()


def test_the_furthest_position_of_a_group_is_found(data_dir: Path) -> None:
    with opened(data_dir / TOPIC / "0") as data:
        assert committed_upto(data.directory, data.needs_place()) == 0
    commit(data_dir, a=3, b=17, c=5)
    with opened(data_dir / TOPIC / "0") as data:
        assert committed_upto(data.directory, data.needs_place()) == 17
    with opened(data_dir / TOPIC / "0.groups") as data:
        assert committed_upto(data.directory, data.needs_place()) == 0


def test_queue_groups_prove_what_they_settled_or_failed_at(data_dir: Path) -> None:
    head = Head(4, 0, 0, {}).encode()
    put(data_dir, {head_key("q"): head, dead_key("q", 29): b"whatever", b"s": Position(5).encode()})
    with opened(data_dir / TOPIC / "0") as data:
        assert committed_upto(data.directory, data.needs_place()) == 30


def test_what_the_catalog_knows_is_named_by_its_directories(data_dir: Path) -> None:
    with opened(data_dir) as data:
        assert known_logs(data.directory) == (set(), [], set())
    topics = [TopicInfo("orders", 42, 1, 1, {}), TopicInfo("gone", 43, 1, 1, {})]
    disk = OsDisk(str(data_dir))
    catalog = StateLog.open(disk, "catalog", CATALOG, Kind.CATALOG, now_us=1)
    for info in topics:
        catalog.put({**entry(info).changes, schedule_key(info.topic_id): b""}, now_us=1)
    catalog.put(dict.fromkeys(entry(topics[1]).changes), now_us=1)
    disk.close()
    with opened(data_dir) as data:
        known = known_logs(data.directory)
    assert known.topics == {TOPIC}
    assert [place.path for place in known.logs] == [
        *(f"{TOPIC}/0", f"{TOPIC}/0.groups", f"{TOPIC}/0.schedule")
    ]


def test_nobody_is_told_of_deleted_topics_that_the_next_start_removes(data_dir: Path) -> None:
    disk = OsDisk(str(data_dir))
    catalog = StateLog.open(disk, "catalog", CATALOG, Kind.CATALOG, now_us=1)
    catalog.put({gone_key("orders", 42): b""}, now_us=1)
    disk.close()
    with opened(data_dir) as data:
        assert known_logs(data.directory) == (set(), [], {TOPIC})


def test_what_makes_no_sense_in_the_groups_proves_nothing(data_dir: Path) -> None:
    put(data_dir, {b"billing": Position(7).encode(), b"sick": b"nonsense"})
    with opened(data_dir / TOPIC / "0") as data:
        assert committed_upto(data.directory, data.needs_place()) == 0


def test_nobody_is_told_to_remove_what_may_be_a_topic_that_is_refused(data_dir: Path) -> None:
    disk = OsDisk(str(data_dir))
    catalog = StateLog.open(disk, "catalog", CATALOG, Kind.CATALOG, now_us=0)
    catalog.put({b"topic/orders": b"nonsense"}, 0)
    disk.close()
    with opened(data_dir) as data:
        assert known_logs(data.directory) == ({TOPIC}, [], set())
