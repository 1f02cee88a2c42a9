from tapemq.batch import LogId, Role
from tapemq_broker.storage.clean import CleanEntry, CleanState
from tapemq_broker.storage.directory import CATALOG_ID, CATALOG_PLACE, DataDirectory, LogPlace
from tapemq_broker.storage.known_logs import KnownLogs, is_expected, noted_logs
from tapemq_broker.storage.memory_disk import MemoryDisk

TOPIC = "topics/default/orders~000000000000002a"
NOTHING = KnownLogs(set(), [])


def directory_with(*logs: str) -> DataDirectory:
    disk = MemoryDisk()
    for log in logs:
        disk.make_directory(log)
    return DataDirectory(disk, bytes(16))


def place_of(path: str) -> LogPlace:
    place = DataDirectory(MemoryDisk(), bytes(16)).place_of(path)
    assert place is not None
    return place


def noted(*log_ids: LogId) -> CleanState:
    return CleanState({log_id: CleanEntry(log_id, 0, 0, 0, 0, 0, 0, 0, 0) for log_id in log_ids})


def test_a_noted_log_lies_where_others_of_its_topic_lie() -> None:
    clean = noted(CATALOG_ID, LogId(42, 0, Role.DATA), LogId(42, 1, Role.GROUPS))
    assert list(noted_logs(directory_with(f"{TOPIC}/0"), clean)) == [
        place_of(f"{TOPIC}/0"),
        place_of(f"{TOPIC}/1.groups"),
    ]


def test_of_a_topic_without_any_log_nobody_knows_where_it_was() -> None:
    clean = noted(LogId(42, 0, Role.DATA))
    assert list(noted_logs(directory_with(f"{TOPIC}.deleted/0"), clean)) == []


def test_a_log_is_expected_if_the_catalog_or_a_clean_stop_knows_it() -> None:
    directory, clean = directory_with(f"{TOPIC}/0"), noted(LogId(42, 1, Role.DATA))
    known = KnownLogs({TOPIC}, [place_of(f"{TOPIC}/2")])
    expected = [
        number
        for number in range(4)
        if is_expected(directory, place_of(f"{TOPIC}/{number}"), known, clean)
    ]
    assert expected == [1, 2]


def test_the_catalog_is_expected_where_topics_are_or_a_clean_stop_noted_it() -> None:
    empty = directory_with()
    assert is_expected(directory_with(f"{TOPIC}/0"), CATALOG_PLACE, NOTHING, noted())
    assert is_expected(empty, CATALOG_PLACE, NOTHING, noted(CATALOG_ID))
    assert not is_expected(empty, CATALOG_PLACE, NOTHING, noted())
