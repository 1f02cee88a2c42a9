import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tapemq.worker.app import App
from tapemq.worker.loading import LoadError, load

GOOD = """\
from tapemq.worker.app import App

app = App()
empty = App()
other = {}


@app.handler("orders", group="billing")
async def bill(message): ...
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, with modules in it; they are forgotten again."""
    for name, text in {
        "good_jobs": GOOD,
        "bare_jobs": "",
        "broken_jobs": "import nowhere_to_be_found",
        "failing_jobs": "def f():\n    raise OSError('no database')\n\nf()",
        "exiting_jobs": "raise SystemExit(3)",
        "wrong_jobs": "def f(:",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_an_application_is_found_in_the_current_directory() -> None:
    app = load("good_jobs:app")
    assert isinstance(app, App)
    assert [handler.name for handler in app.handlers] == ["bill"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("good_jobs", "'good_jobs' is not MODULE:APP, such as jobs:app for app in jobs.py"),
        (":app", "':app' is not MODULE:APP"),
        ("none_jobs:app", "there is no module 'none_jobs' in"),
        ("none_jobs.sub:app", "there is no module 'none_jobs' in"),
        ("jobs/good.py:app", "name a module, not a file: jobs.good"),
        ("good_jobs.py:app", "name a module, not a file: good_jobs"),
        ("good_jobs:ap", "module 'good_jobs' has no 'ap'; it has: app, empty"),
        ("bare_jobs:app", "module 'bare_jobs' has no 'app'; write there: app = tapemq.App()"),
        ("good_jobs:other", "good_jobs:other is a dict, and has to be a tapemq.App; it has: app"),
        ("good_jobs:empty", "has no handlers; put @empty.handler(...) on a function"),
    ],
)
def test_what_is_not_there_is_explained(target: str, said: str) -> None:
    with pytest.raises(LoadError) as caught:
        load(target)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("broken_jobs", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("failing_jobs", "OSError: no database"),
        ("exiting_jobs", "SystemExit: 3"),
        ("wrong_jobs", "SyntaxError: "),
    ],
)
def test_a_module_that_fails_shows_its_own_lines(module: str, line: str) -> None:
    with pytest.raises(LoadError) as caught:
        load(f"{module}:app")
    said = str(caught.value).splitlines()
    assert said[0] == f"module '{module}' fails when it is imported:"
    assert said[-1].startswith(line)
    files = [text for text in said if text.strip().startswith("File ")]
    assert all(f"{module}.py" in text for text in files)
