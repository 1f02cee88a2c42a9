from pathlib import Path

import pytest

from tests.support.sources import EVERYTHING, PRODUCT, complain, python_files
from tests.support.tidy import (
    MARKS,
    PLACES,
    median_complaints,
    mirror_complaints,
    mirrored_test,
    size_complaints,
    text_complaints,
    text_files,
)


def test_functions_files_and_lines_are_short() -> None:
    complain([c for path, text in python_files(*EVERYTHING) for c in size_complaints(path, text)])


def test_medians_are_small() -> None:
    complain(median_complaints(python_files(*PRODUCT)))


def test_nothing_is_marked_as_unfinished() -> None:
    sources = python_files(*EVERYTHING)
    complain([c for path, text in sources for c in text_complaints(MARKS, path, text)])


def test_every_source_file_has_its_test_file() -> None:
    complain(mirror_complaints(path for path, _ in python_files(*PRODUCT)))


def test_no_file_names_a_machine_or_a_registry() -> None:
    complain([c for path, text in text_files() for c in text_complaints(PLACES, path, text)])


def function(lines: int) -> str:
    return "def f() -> None:\n" + "    pass\n" * (lines - 1)


@pytest.mark.parametrize(
    ("text", "too_long"),
    [
        (function(50), False),
        (function(51), True),
        ("async " + function(51), True),
        ("class A:\n  " + function(51).replace("\n", "\n  "), True),
        ("pass\n" * 400, False),
        ("pass\n" * 401, True),
        ("#" * 100, False),
        ("#" * 101, True),
    ],
)
def test_size_limits(text: str, too_long: bool) -> None:
    assert len(size_complaints("a.py", text)) == too_long


@pytest.mark.parametrize(
    ("texts", "complaints"),
    [
        ([], 0),
        (["pass\n" * 170] * 2 + ["pass\n" * 400], 0),
        (["pass\n" * 171] * 2 + [""], 1),
        ([function(10) * 2 + function(50)], 0),
        ([function(11) * 2 + function(2)], 1),
    ],
)
def test_median_limits(texts: list[str], complaints: int) -> None:
    assert len(median_complaints(("a.py", text) for text in texts)) == complaints


@pytest.mark.parametrize("mark", ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"])
def test_mark_is_found(mark: str) -> None:
    assert text_complaints(MARKS, "a.py", f"pass\n# {mark}: later") == [
        f"a.py:2: {mark!r} must not be in the repository"
    ]
    assert text_complaints(MARKS, "a.py", f"a{mark}b = 1") == []


@pytest.mark.parametrize(
    "text",
    [
        "cd /wo" + "rk/main",
        "'/ro" + "ot/.cache'",
        "--data-dir=/tm" + "p/x",
        "/home" + "/someone",
        "https://py" + "pi.org/simple",
        "files.python" + "hosted.org",
        "registry.npm" + "js.org",
        "--index" + "-url=x",
    ],
)
def test_place_is_found(text: str) -> None:
    assert len(text_complaints(PLACES, "a.md", text)) == 1


@pytest.mark.parametrize(
    "text", ["docs/work/plan", "https://example.org/root/x", "{dir}/tmp/x", "/workers", "./tmp/x"]
)
def test_other_text_is_no_place(text: str) -> None:
    assert text_complaints(PLACES, "a.md", text) == []


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("client/tapemq/wire/frames.py", "tests/client/wire/test_frames.py"),
        ("client/tapemq/_clock.py", "tests/client/test_clock.py"),
        ("broker/tapemq_broker/storage/log.py", "tests/broker/storage/test_log.py"),
        ("broker/tapemq_broker/storage/__init__.py", None),
        ("client/tapemq/__main__.py", None),
    ],
)
def test_mirror_of_a_source_file(source: str, test: str | None, tmp_path: Path) -> None:
    assert mirrored_test(source) == test
    assert len(mirror_complaints([source], tmp_path)) == (test is not None)
    if test:
        (tmp_path / test).parent.mkdir(parents=True)
        (tmp_path / test).touch()
        assert mirror_complaints([source], tmp_path) == []


def test_every_text_file_is_read(tmp_path: Path) -> None:
    for name in (".ci/run", "docs/a.md", ".venv/a", "b/__pycache__/c", "Makefile"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    (tmp_path / "picture.png").write_bytes(b"\x89\xff")
    assert [path for path, _ in text_files(tmp_path)] == ["Makefile", ".ci/run", "docs/a.md"]
