import pytest
import typer

from tapemq_broker.cli.place import Place, read_place


@pytest.mark.parametrize("text", ["3:1042", "3/1042"])
def test_a_place_is_read(text: str) -> None:
    assert read_place(text) == Place(3, 1042)
    assert str(Place(3, 1042)) == "3:1042"


@pytest.mark.parametrize("text", ["", "3", "3:", ":3", "a:1", "1:-1", "1:2:3", "0:" + "9" * 20])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not PARTITION:OFFSET"):
        read_place(text)
