import pytest

from tapemq_broker.cli.serve_options import parse
from tapemq_broker.config import settings


def test_nothing_given_says_nothing() -> None:
    assert parse([]) == ({}, None)


def test_flags_keep_their_text_for_whoever_checks_it() -> None:
    options = parse(["--port", "0", "--data-dir=d", "--no-sync", "--config", "a.toml"])
    assert options.flags == {"port": "0", "data_dir": "d", "sync": False}
    assert options.file == "a.toml"


def test_there_is_a_flag_for_every_setting() -> None:
    for setting in settings():
        flag = "--" + setting.name.replace("_", "-")
        if setting.kind is bool:
            assert parse([flag]).flags == {setting.name: True}
            assert parse([f"--no-{flag[2:]}"]).flags == {setting.name: False}
        else:
            assert parse([flag, "x"]).flags == {setting.name: "x"}


def test_help_explains_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--help"])
    assert caught.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for setting in settings():
        assert setting.about.text in said


@pytest.mark.parametrize("arguments", [["--prot", "1"], ["--port"], ["x"], ["--host-x", "y"]])
def test_a_wrong_command_line_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert "tapemq serve: error: " in capsys.readouterr().err
