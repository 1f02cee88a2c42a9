import pytest

from tapemq.network.url import Address, parse_address, parse_url


@pytest.mark.parametrize(
    ("url", "addresses", "tls"),
    [
        ("tapemq://localhost", [("localhost", 7077)], False),
        ("tapemq://localhost:1/", [("localhost", 1)], False),
        ("tapemqs://a.example:99", [("a.example", 99)], True),
        ("tapemq://bücher.example.", [("bücher.example.", 7077)], False),
        ("tapemq://my_broker", [("my_broker", 7077)], False),
        ("tapemq://a,b:2", [("a", 7077), ("b", 2)], False),
        ("tapemq://[::1]", [("::1", 7077)], False),
        ("tapemq://[fe80::1]:5,c", [("fe80::1", 5), ("c", 7077)], False),
    ],
)
def test_url_is_parsed(url: str, addresses: list[tuple[str, int]], tls: bool) -> None:
    assert parse_url(url) == (tuple(Address(*address) for address in addresses), tls)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:7077", "starts with tapemq://"),
        ("http://localhost", "starts with tapemq://"),
        ("tapemq://", "host"),
        ("tapemq://host/topic", "host"),
        ("tapemq://host?x=1", "host"),
        ("tapemq://me:secret@host", "password"),
        ("tapemq://host:0", "port"),
        ("tapemq://host:65536", "port"),
        ("tapemq://host:x", "address"),
        ("tapemq://a,,b", "address"),
        ("tapemq://::1", "address"),
        ("tapemq://a..b", "name of a host"),
        (f"tapemq://{'a' * 64}.example", "name of a host"),
        ("tapemq://a\0b", "name of a host"),
        ("tapemq://\ud800", "name of a host"),
    ],
)
def test_what_is_no_url_is_refused_with_a_reason(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_url(url)


def test_what_is_no_text_is_told_so() -> None:
    with pytest.raises(TypeError, match="a broker URL is text, not 7077"):
        parse_url(7077)  # type: ignore[arg-type]


def test_password_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError, match="authenticates none") as caught:
        parse_url("tapemq://me:secret@host")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["host:1", "[::1]:7077"])
def test_address_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_address(text)) == text
