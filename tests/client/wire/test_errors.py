from tapemq.wire import errors
from tapemq.wire.errors import ERRORS, ErrorKind, Fate, ProtocolError


def test_every_kind_is_in_the_table_once() -> None:
    kinds = [value for value in vars(errors).values() if isinstance(value, ErrorKind)]
    assert sorted(ERRORS.values()) == sorted(kinds)
    assert all(ERRORS[kind.code] is kind for kind in kinds)
    assert len({kind.name for kind in kinds}) == len(kinds)


def test_constants_are_named_as_their_errors() -> None:
    for kind in ERRORS.values():
        assert getattr(errors, kind.name.upper()) is kind


def test_code_0_is_no_error() -> None:
    assert 0 not in ERRORS


def test_protocol_error_names_its_kind() -> None:
    assert ProtocolError("x").kind is errors.PROTOCOL_ERROR
    assert ProtocolError("x", errors.TIMED_OUT).kind.fate is Fate.CLOSED
    assert str(ProtocolError("x")) == "x"
