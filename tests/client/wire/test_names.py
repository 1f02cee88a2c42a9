import pytest

from tapemq.wire.names import check_name


@pytest.mark.parametrize("name", ["a", "A-z_0.9@x", "-", "_", "@", "n" * 200, "a.", "0"])
def test_good_name(name: str) -> None:
    assert check_name("topic", name) == name


@pytest.mark.parametrize(
    "name", ["", ".", ".a", "..", "n" * 201, "a b", "a/b", "a~b", "a\n", "a\0", "ü", "a:b", "a%"]
)
def test_bad_name(name: str) -> None:
    with pytest.raises(ValueError, match="is no group name: 1 to 200 letters"):
        check_name("group", name)


def test_text_of_the_error_is_short() -> None:
    with pytest.raises(ValueError, match="is no topic name") as caught:
        check_name("topic", "n" * 1_000_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", [None, 5, b"orders"])
def test_what_is_no_text_is_named(name: object) -> None:
    with pytest.raises(TypeError, match=f"a topic's name is text, not {name}"):
        check_name("topic", name)
