"""The mutants: one small change each, put where everybody finds it."""

import ast
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.mutation.mutants import Mutant, mutants
from tests.support.mutation.results import Result, keep_result, read_results
from tests.support.mutation.runner import forked
from tests.support.mutation.swapping import swap

SOURCE = '''
"""Words."""
LIMIT: int = 10

def first(a: int, b: int = 3) -> int:
    """Words."""
    if a < b and not b:
        raise ValueError(f"{a + b} is wrong")
    total = a + 1
    log(total)
    return total

class Thing:
    __slots__ = ("x",)

    @property
    def x_doubled(self) -> int:
        return self.x * 2
'''


def names(source: str) -> set[str]:
    return {mutant.name for mutant, _ in mutants(source)}


def test_every_kind_of_change() -> None:
    assert names(SOURCE) == {
        "module: 10 -> 11",
        "first: 3 -> 4",
        "first: a < b and (not b) -> a < b or not b",
        "first: a < b -> a <= b",
        "first: not b -> b",
        "first: raise ValueError(f'{a + b} is wrong') -> nothing",
        "first: total = a + 1 -> nothing",
        "first: a + 1 -> a - 1",
        "first: 1 -> 2",
        "first: log(total) -> nothing",
        "first: return total -> return None",
        "Thing.x_doubled: return self.x * 2 -> return None",
        "Thing.x_doubled: self.x * 2 -> self.x // 2",
        "Thing.x_doubled: 2 -> 3",
    }


def test_a_mutant_differs_in_one_place() -> None:
    good = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant, tree in mutants(SOURCE):
        changed = ast.unparse(tree).splitlines()
        differ = [(a, b) for a, b in zip(good, changed, strict=True) if a != b]
        assert len(differ) == 1, mutant.name


def test_equal_changes_are_numbered() -> None:
    assert names("def f():\n    return 1 + 1\n") >= {"f: 1 -> 2", "f: 1 -> 2 #1"}


def test_what_an_import_runs_is_told_apart() -> None:
    in_body = {mutant.name for mutant, _ in mutants(SOURCE) if mutant.is_in_body}
    assert names(SOURCE) - in_body == {"module: 10 -> 11", "first: 3 -> 4"}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType("made_for_mutation")
    made.__file__ = "made.py"
    exec(compile(SOURCE, "made.py", "exec"), made.__dict__)
    made.__dict__["log"] = lambda total: None
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def mutant_named(name: str) -> tuple[Mutant, ast.Module]:
    return next(one for one in mutants(SOURCE) if one[0].name == name)


def test_functions_that_others_have_imported_change(module: ModuleType) -> None:
    first, thing = module.first, module.Thing()
    thing.x = 5
    assert (first(5), thing.x_doubled) == (6, 10)
    swap(module.__name__, mutant_named("first: a + 1 -> a - 1")[1])
    assert (first(5), thing.x_doubled) == (4, 10)
    swap(module.__name__, mutant_named("Thing.x_doubled: self.x * 2 -> self.x // 2")[1])
    assert (first(5), thing.x_doubled) == (6, 2)


def test_results_replace_older_ones_of_their_module(tmp_path: Path) -> None:
    directory = tmp_path
    older, newer = (Result("b.py", 9, n, [], "2026-01-31", 1.0) for n in (1, 2))
    other = Result("a.py", 3, 3, [], "2026-01-31", 1.0)
    for result in (older, other, newer):
        keep_result(directory, result)
    assert read_results(directory) == {"a.py": other, "b.py": newer}


def test_what_fails_crashes_or_never_ends_is_noticed() -> None:
    def fails() -> bool:
        raise ValueError

    def never_ends() -> bool:
        while True:
            pass

    assert forked(lambda: True, 60.0)
    assert not forked(lambda: False, 60.0)
    assert not forked(fails, 60.0)
    assert not forked(never_ends, 0.05)
