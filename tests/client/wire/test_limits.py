from tapemq.batch import BODY_BYTES_MAX, HEADER_BYTES
from tapemq.wire import limits
from tapemq.wire.frames import PREFIX_BYTES
from tapemq.wire.messages import SHAPES, Hello, Names
from tapemq.wire.session import encode_message


def test_largest_batch_fits_into_a_frame() -> None:
    payload = BODY_BYTES_MAX + HEADER_BYTES
    assert limits.FRAME_BYTES_MAX == limits.HEADER_BYTES_MAX + payload < 2**32


def test_page_of_the_longest_names_fits_into_a_header() -> None:
    names = Names(["n" * limits.NAME_BYTES_MAX] * limits.ITEMS_MAX, more=True)
    assert len(SHAPES[0x14].encode(names)) <= limits.HEADER_BYTES_MAX < 2**16


def test_hello_with_a_long_token_fits_before_the_handshake() -> None:
    hello = Hello([1], "n" * 200, "n" * 200, ["n" * 20] * 10, "token", b"t" * 2048)
    assert len(encode_message(hello)) - PREFIX_BYTES < limits.HANDSHAKE_FRAME_BYTES_MAX
