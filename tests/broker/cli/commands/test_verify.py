import os
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.broker.cli.commands.conftest import Records, Tapemq
from tests.support.crash.forked_broker import ForkedBroker
from tests.support.read_only import make_read_only, refuse_to_list


def advised(advice: str) -> list[str]:
    """The arguments of the repair that is advised."""
    command = shlex.split(advice.partition("run: ")[2])[:5]
    assert command[:2] == ["tapemq", "repair"]
    return command[1:]


def test_a_sound_directory_is_fine(offline: Tapemq, records: Records) -> None:
    assert offline("verify", records.data_dir) == (
        0,
        "",
        f"nothing damaged in {records.data_dir}\n",
    )


def test_damage_is_named_and_ends_with_4(offline: Tapemq, records: Records) -> None:
    records.damage(5)
    ran = offline("verify", records.data_dir)
    assert ran.code == 4
    assert ran.row["segment"] == records.segment.relative_to(records.data_dir).as_posix()
    assert ran.row["position"] == 0
    assert ran.row["from_offset"] == 0
    assert ran.err == f"1 damaged in {records.data_dir}\n"


def test_its_advice_is_a_command_that_can_be_pasted(offline: Tapemq, records: Records) -> None:
    records.damage(5)
    advice = offline("verify", records.data_dir).row["advice"]
    assert "--mode truncate (keeps what is in front of the damage)" in advice
    assert offline(*advised(advice)).row["from_offset"] == 0


def test_what_does_no_harm_is_said_and_ends_with_0(offline: Tapemq, records: Records) -> None:
    (records.data_dir / "CLEAN").write_bytes(b"nonsense")
    ran = offline("verify", records.data_dir)
    assert ran.code == 0
    assert (ran.row["segment"], ran.row["is_harmless"]) == ("CLEAN", True)


def test_topics_that_the_catalog_does_not_know_are_named(offline: Tapemq, records: Records) -> None:
    empty = records.data_dir / "topics/default/lost~00000000000000aa"
    (empty / "0").mkdir(parents=True)
    ran = offline("verify", records.data_dir)
    assert (ran.code, ran.row["log"]) == (0, "topics/default/lost~00000000000000aa")
    shutil.rmtree(empty)
    shutil.copytree(records.log, empty / "0")
    ran = offline("verify", records.data_dir)
    assert ran.code == 4
    assert "the catalog knows no such topic, but there are records in it" in ran.out


def test_a_damaged_catalog_knows_nothing_of_topics(offline: Tapemq, records: Records) -> None:
    catalog = records.data_dir / "catalog/00000000000000000000.log"
    data = bytearray(catalog.read_bytes())
    data[5] ^= 1
    catalog.write_bytes(data)
    shutil.rmtree(records.log.with_name("0.groups"))
    records.lose_clean_stop()
    ran = offline("verify", records.data_dir)
    assert ran.code == 4
    assert {row["log"] for row in ran.rows} == {"catalog"}
    assert "the catalog is damaged: nothing tells which logs are missing" in ran.err


def test_nothing_is_changed(offline: Tapemq, records: Records) -> None:
    records.damage(5)
    (records.data_dir / "LOCK").unlink()
    before = {path: path.read_bytes() for path in records.data_dir.rglob("*") if path.is_file()}
    offline("verify", records.data_dir)
    after = {path: path.read_bytes() for path in records.data_dir.rglob("*") if path.is_file()}
    assert after == before


def test_a_log_alone_is_not_verified(offline: Tapemq, records: Records) -> None:
    ran = offline("verify", records.log)
    assert (ran.code, ran.out) == (2, "")
    assert f"tapemq verify {records.data_dir}" in ran.err


def test_a_directory_in_use_is_refused(offline: Tapemq, records: Records) -> None:
    broker = ForkedBroker(records.data_dir)
    broker.start()
    ran = offline("verify", records.data_dir)
    assert broker.stop() == 0
    assert (ran.code, ran.out) == (73, "")
    assert "another process uses the data directory" in ran.err


@pytest.mark.parametrize("is_clean", [True, False])
@pytest.mark.parametrize("name", ["0", "0.groups"])
def test_a_log_that_is_gone_is_named_and_can_be_repaired_as_advised(
    offline: Tapemq, records: Records, name: str, is_clean: bool
) -> None:
    shutil.rmtree(records.log.with_name(name))
    if not is_clean:
        records.lose_clean_stop()
    ran = offline("verify", records.data_dir)
    assert ran.code == 4
    assert ran.row["log"] == records.log.with_name(name).relative_to(records.data_dir).as_posix()
    assert "there is no segment" in ran.row["problem"] or is_clean
    assert offline(*advised(ran.row["advice"]), "--yes").code == 0
    assert offline("verify", records.data_dir).code == 0


def test_a_whole_topic_that_is_gone_is_named(offline: Tapemq, records: Records) -> None:
    shutil.rmtree(records.log.parent)
    ran = offline("verify", records.data_dir)
    assert ran.code == 4
    assert [row["log"].rpartition("/")[2] for row in ran.rows] == ["0", "0.groups"]


def test_a_tail_that_a_group_had_read_is_missed(offline: Tapemq, records: Records) -> None:
    records.cut(records.position(offline, 2))
    records.lose_clean_stop()
    ran = offline("verify", records.data_dir)
    assert ran.code == 4
    assert (ran.row["from_offset"], ran.row["to_offset"]) == (2, 4)


def test_what_was_deleted_or_never_made_is_not_missed(offline: Tapemq, records: Records) -> None:
    broker = ForkedBroker(records.data_dir)
    broker.start()
    assert offline("topic", "create", "gone", "--url", broker.url).code == 0
    assert offline("pub", "gone", "value", "--url", broker.url).code == 0
    assert offline("topic", "rm", "gone", "--yes", "--url", broker.url).code == 0
    assert broker.stop() == 0
    # More partitions were being made, and the catalog did not know them yet.
    (records.log.parent / "1").mkdir()
    (records.log.parent / "1/00000000000000000000.log").touch()
    assert offline("verify", records.data_dir).code == 0


def test_a_copy_that_can_only_be_read_will_do(
    offline: Tapemq, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_read_only(records.data_dir, monkeypatch)
    assert offline("verify", records.data_dir).code == 0
    records.damage(5)
    assert offline("verify", records.data_dir).code == 4


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_damage_ends_with_4_whoever_reads_of_it(records: Records, unbuffered: str) -> None:
    records.damage(5)
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, "-m", "tapemq", "verify", str(records.data_dir)],
        stdout=writer,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        text=True,
    )
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (4, f"1 damaged in {records.data_dir}\n")


@pytest.mark.parametrize("log", ["0", "0.groups", ""])
def test_a_directory_that_cannot_be_read_is_damage_and_all_else_is_checked(
    offline: Tapemq, records: Records, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root no permissions are missed, so a test cannot take them away."""
    topic = records.log.parent.relative_to(records.data_dir)
    bad = topic / log
    refuse_to_list(records.data_dir / bad, monkeypatch)
    (records.data_dir / "BOOT").write_bytes(b"nonsense")
    ran = offline("verify", records.data_dir)
    assert ran.code == 4
    assert [row["log"] for row in ran.rows if not row["is_harmless"]] == [bad.as_posix()]
    assert "it cannot be read: [Errno 13] Permission denied" in ran.out
    assert "BOOT" in {row["segment"] for row in ran.rows}
