import io
import json
from contextlib import redirect_stdout

import pytest

from tapemq_broker.cli import output
from tapemq_broker.cli.output import Output, print_json, shown

ROWS = [
    {"topic": "orders", "records": 1234567, "damaged": False, "age_s": None},
    {"topic": "[red]x", "records": 3, "damaged": True, "age_s": 1.5},
]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")


def test_a_pipe_gets_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows(ROWS, empty="there are none")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


@pytest.mark.usefixtures("terminal")
def test_a_terminal_gets_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows(ROWS)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["topic", "records", "damaged", "age", "s"],
        ["orders", "1,234,567", "no", "-"],
        ["[red]x", "3", "yes", "1.500"],
    ]


@pytest.mark.usefixtures("terminal")
def test_json_when_asked_for_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).rows(ROWS)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


@pytest.mark.usefixtures("terminal")
def test_a_terminal_is_told_that_there_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows([], empty="there are none")
    assert capsys.readouterr() == ("", "there are none\n")


def test_a_pipe_gets_nothing_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Output().rows([], empty="there are none")
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("terminal")
def test_one_thing_on_a_terminal_is_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    Output().row({"topic": "orders", "topic_id": 5})
    assert capsys.readouterr().out == "topic     orders\ntopic id  5\n"


def test_one_thing_in_a_pipe_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    Output().row({"topic": "örders", "topic_id": 5})
    assert capsys.readouterr().out == '{"topic": "örders", "topic_id": 5}\n'


@pytest.mark.parametrize(
    ("encoding", "text"),
    [("utf-8", '{"log": "ä"}'), ("ascii", r'{"log": "\u00e4"}'), ("latin-1", '{"log": "ä"}')],
)
def test_what_the_output_cannot_have_is_escaped(encoding: str, text: str) -> None:
    data = io.BytesIO()
    output = io.TextIOWrapper(data, encoding, write_through=True)
    with redirect_stdout(output):
        print_json({"log": "ä"})
        print_json({"log": "\udcff"})
    assert data.getvalue().decode(encoding).splitlines() == [text, r'{"log": "\udcff"}']


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (True, "yes"), (False, "no"), (1000, "1,000"), (0.5, "0.500"), ("a", "a")],
)
def test_how_a_value_is_shown(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ('ä [b] "c"', 'ä [b] "c"'),
        ("\x1b[2J", r'"\u001b[2J"'),
        ("ä\nb", r'"ä\nb"'),
        ("\x7f\x9b2J", r'"\u007f\u009b2J"'),
        ("\u202eorders", r'"\u202eorders"'),
        ("\U000e0041", r'"\udb40\udc41"'),
    ],
)
@pytest.mark.usefixtures("terminal")
def test_nothing_plays_tricks_on_a_terminal(
    text: str, safe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Output().row({"error": text})
    Output().rows([{"error": text}])
    lines = [line.rstrip(" ") for line in capsys.readouterr().out.split("\n")]
    assert lines == [f"error  {safe}", "error", safe, ""]
