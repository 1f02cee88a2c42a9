"""Each promise is broken on purpose, and a test notices; or the table says why there is none."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.proof.controls import CONTROLS, REASONS
from tests.support.proof.controls.control import Control
from tests.support.proof.promises import PROMISES
from tests.support.proof.sabotage import Outcome, read_outcomes
from tests.support.sources import ROOT

BROKEN = [number for number, control in enumerate(CONTROLS) if control.swaps]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Outcome]:
    """All controls run in one process of their own, so that nothing of them is left in this one."""
    path = tmp_path_factory.mktemp("sabotage") / "outcomes"
    tests = list(dict.fromkeys(CONTROLS[number].test for number in BROKEN))
    plugins = ["-p", "tests.support.proof.sabotage", "-p", "no:cacheprovider"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("TEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *tests],
        cwd=ROOT,
        env=env | {"TEST_SABOTAGE": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert path.exists(), done.stdout + done.stderr
    return {outcome.number: outcome for outcome in read_outcomes(path)}


@pytest.mark.parametrize("number", BROKEN, ids=lambda n: f"{CONTROLS[n].promise}-{n}")
def test_broken_promise_is_noticed(number: int, outcomes: dict[int, Outcome]) -> None:
    control = CONTROLS[number]
    assert number in outcomes, f"{control.test} was not run"
    outcome = outcomes[number]
    assert outcome.failed, f"{control.test} passes, though {control.broken}"
    # The test saw what is wrong; the engine did not just stumble over the way it was broken.
    assert "object has no attribute" not in outcome.said, outcome.said
    assert "required positional argument" not in outcome.said, outcome.said


@pytest.mark.parametrize("control", CONTROLS, ids=lambda c: c.test.rpartition("::")[2])
def test_control_names_a_test_that_there_is(control: Control) -> None:
    path, _, name = control.test.partition("::")
    text = Path(ROOT, path).read_text()
    tree = ast.parse(text)
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert name.partition("[")[0] in {function.name for function in functions}
    parameter = name.partition("[")[2].removesuffix("]")
    assert path == "tests/test_scenarios.py" or not parameter or f'"{parameter}"' in text


@pytest.mark.parametrize("promise", PROMISES)
def test_promise_has_a_control_or_a_reason(promise: str) -> None:
    has_control = promise in {control.promise for control in CONTROLS}
    assert has_control != (promise in REASONS)


def test_controls_are_of_promises() -> None:
    assert {control.promise for control in CONTROLS} <= set(PROMISES)
