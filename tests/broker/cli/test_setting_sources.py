from pathlib import Path

import pytest

from tapemq_broker.cli.setting_sources import Configuration, ConfigurationError, load
from tapemq_broker.config import Settings


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_without_sources_all_is_default() -> None:
    found = load({}, {})
    assert found.settings == Settings()
    assert set(found.origins.values()) == {"default"}
    assert found.warnings == []


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a.toml", 'port = 1\nhttp_port = 2\nhost = "10.0.0.1"\n')
    environment = {"TAPEMQ_PORT": "3", "TAPEMQ_HTTP_PORT": "4", "TAPEMQ_CONFIG": file}
    found = load({"port": "5"}, environment)
    settings = found.settings
    assert (settings.port, settings.http_port, settings.host) == (5, 4, "10.0.0.1")
    assert found.origins["port"] == "flag --port"
    assert found.origins["http_port"] == "environment TAPEMQ_HTTP_PORT"
    assert found.origins["host"] == f"file {file}"
    assert found.origins["data_dir"] == "default"


def test_the_flag_names_another_file_than_the_environment(tmp_path: Path) -> None:
    flagged = write(tmp_path / "a.toml", "port = 1")
    environment = {"TAPEMQ_CONFIG": str(tmp_path / "missing.toml")}
    assert load({}, environment, flagged).settings.port == 1


def test_file_has_values_of_toml_or_text(tmp_path: Path) -> None:
    text = 'sync = false\nsegment_bytes = "1 MiB"\nheartbeat_s = 3\ndata_dir = "d"\n'
    settings = load({}, {}, write(tmp_path / "a.toml", text)).settings
    expected = Settings(sync=False, segment_bytes=2**20, heartbeat_s=3, data_dir=Path("d"))
    assert settings == expected


def test_empty_variable_counts_as_unset() -> None:
    assert load({}, {"TAPEMQ_PORT": ""}).settings == Settings()


def test_service_links_of_kubernetes_are_no_settings() -> None:
    links = {
        "TAPEMQ_PORT": "tcp://10.0.0.1:7077",
        "TAPEMQ_PORT_7077_TCP_ADDR": "10.0.0.1",
        "TAPEMQ_SERVICE_HOST": "10.0.0.1",
    }
    assert load({}, links) == Configuration(Settings(), load({}, {}).origins, [])


@pytest.mark.parametrize(
    ("variable", "warning"),
    [
        (
            "TAPEMQ_DATADIR",
            "TAPEMQ_DATADIR is set, but there is no setting 'datadir'; is 'data_dir' meant?",
        ),
        (
            "TAPEMQ_XYZZY",
            "TAPEMQ_XYZZY is set, but there is no setting 'xyzzy'; see \"tapemq config show\"",
        ),
    ],
)
def test_variable_that_is_no_setting_is_a_warning(variable: str, warning: str) -> None:
    assert load({}, {variable: "1", "OTHER": "1", "TAPEMQ_URL": "x"}).warnings == [warning]


@pytest.mark.parametrize(
    ("flags", "environment", "text", "origin"),
    [
        ({"port": "x"}, {}, "", "flag --port"),
        ({}, {"TAPEMQ_PORT": "x"}, "", "environment TAPEMQ_PORT"),
        ({}, {}, 'port = "x"', "file {file}"),
        ({}, {}, "port = [1]", "file {file}"),
        ({}, {"TAPEMQ_PORT": "1"}, "port = true", "file {file}"),
    ],
)
def test_refused_value_is_named_with_its_origin(
    tmp_path: Path, flags: dict[str, str], environment: dict[str, str], text: str, origin: str
) -> None:
    file = write(tmp_path / "a.toml", text)
    with pytest.raises(ConfigurationError) as caught:
        load(flags, environment, file)
    said = str(caught.value)
    assert said.startswith("port = ")
    assert "it must be a whole number" in said
    assert said.endswith(f" (from {origin.format(file=file)})")


def test_values_that_do_not_go_together_are_named_with_an_origin() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({}, {"TAPEMQ_RECORD_BYTES_MAX": "5 MiB"})
    assert str(caught.value) == (
        "record_bytes_max = 5242880 is not allowed: it must be at most batch_bytes_max = 4194304 "
        "(from environment TAPEMQ_RECORD_BYTES_MAX)"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("prot = 1", "there is no setting 'prot'; is 'port' meant?"),
        ("port = ", "is not TOML: "),
        ("port = " + "[" * 5000, "is not TOML: "),
    ],
)
def test_bad_file_is_named(tmp_path: Path, text: str, problem: str) -> None:
    file = write(tmp_path / "a.toml", text)
    with pytest.raises(ConfigurationError) as caught:
        load({}, {}, file)
    assert str(caught.value).startswith(f"{file}: {problem}")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({}, {}, str(tmp_path / "a.toml"))
    assert str(caught.value) == f"{tmp_path}/a.toml: cannot be read: No such file or directory"
    (tmp_path / "b.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load({}, {}, str(tmp_path / "b.toml"))
