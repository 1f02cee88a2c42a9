from tapemq_broker.storage.errors import (
    CorruptLog,
    LogRefused,
    OffsetOutOfRange,
    StorageError,
    pasteable,
    repair_command,
)


def test_out_of_range_tells_the_range() -> None:
    error = OffsetOutOfRange(5, 10, 20)
    assert isinstance(error, StorageError)
    assert (error.offset, error.first_offset, error.next_offset) == (5, 10, 20)
    assert str(error) == "offset 5 is not in the log: it holds 10 up to, but not including, 20"


def test_corruption_names_the_place_and_what_to_do() -> None:
    error = CorruptLog("a/0.log", 88, 5, 7, "the body is wrong")
    for part in ("a/0.log", "byte 88", "the body is wrong", "Offsets 5 up to 7", "tapemq verify"):
        assert part in str(error)


def test_refusal_names_the_row_and_the_command() -> None:
    error = LogRefused("ROT", "a/0.log", 88, 5, 7, "durable bytes are damaged", "Run: repair")
    for part in ("[ROT]", "a/0.log", "byte 88", "5 up to 7", "durable bytes", "Run: repair"):
        assert part in str(error)


def test_the_repair_can_be_typed_from_anywhere() -> None:
    assert repair_command("a/0") == "tapemq repair a/0"
    assert repair_command("a/0", "/d") == "tapemq repair /d/a/0"
    assert repair_command("a/0", "/my data") == "tapemq repair '/my data'/a/0"
    advice = f"run: {repair_command('catalog')} --mode salvage; the catalog is kept"
    expected = "run: tapemq repair /d/catalog --mode salvage; the catalog is kept"
    assert pasteable(advice, "catalog", "/d") == expected
    for segment in ("a/0", "a/0/00000000000000000007.log"):
        error = LogRefused("ROT", segment, 0, 5, 7, "rot", f"run: {repair_command('a/0')} --yes")
        assert error.told("/d").endswith("run: tapemq repair /d/a/0 --yes")
