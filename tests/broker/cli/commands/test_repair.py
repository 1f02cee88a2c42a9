import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.broker.cli.commands.conftest import Records, Tapemq
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.read_only import make_read_only


@pytest.fixture
def damaged(offline: Tapemq, records: Records) -> Records:
    """The third batch has a wrong bit."""
    records.damage(records.position(offline, 2) + 5)
    return records


def files(data_dir: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}


def served(data_dir: Path, tapemq: Tapemq) -> tuple[list[Any], dict[str, Any]]:
    """Values that a broker serves, and the receipt of one more."""
    broker = ForkedBroker(data_dir)
    broker.start()
    values = [row["value"] for row in tapemq("peek", "orders", "--url", broker.url).rows]
    receipt = tapemq("pub", "orders", "new", "--url", broker.url).row
    assert broker.stop() == 0
    return values, receipt


def test_only_says_what_it_would_do(offline: Tapemq, damaged: Records) -> None:
    before = files(damaged.data_dir)
    ran = offline("repair", damaged.log, "--mode", "salvage")
    assert ran.code == 0
    assert (ran.row["from_offset"], ran.row["to_offset"]) == (2, 3)
    assert ran.err == "1 offsets would be given up; the log goes on at 5; to do it add --yes\n"
    assert files(damaged.data_dir) == before


def test_salvage_keeps_every_sound_batch(offline: Tapemq, damaged: Records) -> None:
    ran = offline("repair", damaged.log, "--mode", "salvage", "--yes")
    assert ran.code == 0
    assert "kept aside: " in ran.err
    assert ran.err.endswith("1 offsets were given up; the log goes on at 5\n")
    assert offline("verify", damaged.data_dir).code == 0
    values, receipt = served(damaged.data_dir, offline)
    assert values == ["value 0", "value 1", "value 3", "value 4"]
    assert receipt["offset"] == 5


def test_truncate_keeps_the_front_and_repeats_no_offset(offline: Tapemq, damaged: Records) -> None:
    ran = offline("repair", damaged.log, "--mode", "truncate", "--yes")
    assert ran.code == 0
    values, receipt = served(damaged.data_dir, offline)
    assert values == ["value 0", "value 1"]
    assert receipt["offset"] == 5


def test_what_groups_committed_is_known_to_have_been_there(
    offline: Tapemq, records: Records
) -> None:
    # Nothing but the group's position, 4, tells that there was more than two records.
    records.cut(records.position(offline, 2))
    records.lose_clean_stop()
    ran = offline("repair", records.log, "--mode", "truncate", "--yes")
    assert ran.code == 0
    assert (ran.row["from_offset"], ran.row["to_offset"]) == (2, 4)
    values, receipt = served(records.data_dir, offline)
    assert values == ["value 0", "value 1"]
    assert receipt["offset"] == 4


def test_a_sound_log_is_left_alone(offline: Tapemq, records: Records) -> None:
    before = files(records.data_dir)
    ran = offline("repair", records.log, "--mode", "truncate", "--yes")
    assert ran == (0, "", "there is nothing to repair\n")
    assert files(records.data_dir) == before


def test_it_wants_a_log(offline: Tapemq, records: Records) -> None:
    ran = offline("repair", records.data_dir, "--mode", "truncate")
    assert (ran.code, ran.out) == (2, "")
    assert f"tapemq dump {records.data_dir}" in ran.err
    nested = offline("repair", records.log.parent, "--mode", "truncate")
    assert (nested.code, nested.out) == (2, "")
    assert "is not the directory of a log" in nested.err


def test_it_wants_a_mode(offline: Tapemq, records: Records) -> None:
    assert offline("repair", records.log).code == 2
    assert offline("repair", records.log, "--mode", "magic").code == 2


def test_a_log_that_is_gone_is_made_anew_behind_what_is_known_of_it(
    offline: Tapemq, records: Records
) -> None:
    shutil.rmtree(records.log)
    ran = offline("repair", records.log, "--mode", "salvage", "--yes")
    assert (ran.row["from_offset"], ran.row["to_offset"]) == (0, 5)
    values, receipt = served(records.data_dir, offline)
    assert (values, receipt["offset"]) == ([], 5)


def test_a_log_of_which_nothing_is_known_begins_anew(offline: Tapemq, records: Records) -> None:
    records.lose_clean_stop()
    groups = records.log.with_name("0.groups")
    shutil.rmtree(groups)
    ran = offline("repair", groups, "--mode", "salvage")
    asked = "nothing says what was in the log: an empty one would be made; to do it add --yes\n"
    assert ran == (0, "", asked)
    assert not groups.exists()
    ran = offline("repair", groups, "--mode", "salvage", "--yes")
    assert ran == (0, "", "nothing says what was in the log: an empty one was made\n")
    assert offline("verify", records.data_dir).code == 0


@pytest.mark.parametrize("name", ["orders~00000000000000aa/0", "{}/1", "{}/x", "{}x/0"])
def test_what_should_not_be_there_is_not_made(offline: Tapemq, records: Records, name: str) -> None:
    topic = records.log.parent
    gone = topic.parent / name.format(topic.name)
    ran = offline("repair", gone, "--mode", "salvage", "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert f"{gone} does not exist" in ran.err
    assert not gone.exists()


def test_where_nothing_can_be_written_it_says_so(
    offline: Tapemq, damaged: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_read_only(damaged.data_dir, monkeypatch)
    ran = offline("repair", damaged.log, "--mode", "salvage", "--yes")
    assert (ran.code, ran.out) == (73, "")
    assert "nothing can be written to the data directory" in ran.err
    assert "Read-only file system" in ran.err
