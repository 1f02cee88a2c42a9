from tapemq_broker.core.counting import agreeing, counted


def test_one_is_singular_and_all_else_is_not() -> None:
    assert [counted(number, "record") for number in (0, 1, 2, 1500)] == [
        "0 records",
        "1 record",
        "2 records",
        "1,500 records",
    ]
    assert [agreeing(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]
