import pytest

from tapemq.worker.options import parse


@pytest.fixture(autouse=True)
def no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TAPEMQ_URL", raising=False)


def test_the_target_is_all_that_it_needs() -> None:
    assert parse(["jobs:app"]) == (
        "jobs:app",
        "tapemq://localhost:7077",
        10,
        1,
        25.0,
        "info",
        False,
    )


def test_the_url_comes_from_the_command_line_or_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAPEMQ_URL", "tapemq://a")
    assert parse(["jobs:app"]).url == "tapemq://a"
    assert parse(["jobs:app", "--url", "tapemq://b"]).url == "tapemq://b"


def test_numbers_are_read() -> None:
    options = parse(["j:a", "--processes", "4", "--concurrency=50", "--grace", "0.5"])
    assert (options.processes, options.concurrency, options.grace_s) == (4, 50, 0.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "MODULE:APP"),
        (["j:a", "--processes", "0"], "'0' is not a whole number of at least 1"),
        (["j:a", "--concurrency", "1.5"], "'1.5' is not a whole number of at least 1"),
        (["j:a", "--grace", "nan"], "'nan' is not a number of at least 0"),
        (["j:a", "--grace", "-1"], "'-1' is not a number of at least 0"),
        (["j:a", "--log-level", "loud"], "invalid choice: 'loud'"),
    ],
)
def test_a_wrong_command_line_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_help_says_how_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Exit codes: 0 stopped as asked" in said
    assert "--supervised" not in said
