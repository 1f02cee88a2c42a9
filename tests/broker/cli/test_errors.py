import pytest

from tapemq_broker.cli.errors import CommandError, complain
from tapemq_broker.cli.exits import Exit


def test_error_carries_text_advice_and_code() -> None:
    error = CommandError("it broke", "mend it", Exit.UNREACHABLE)
    assert (error.text, error.advice, error.code) == ("it broke", "mend it", 3)
    assert CommandError("it broke").code == Exit.FAILED


def test_complaint_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    complain("it broke", "mend it\nor buy a new one")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "tapemq: it broke\n  mend it\n  or buy a new one\n"


def test_complaint_without_advice_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain("it broke")
    assert capsys.readouterr().err == "tapemq: it broke\n"
