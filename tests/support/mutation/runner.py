"""Runs tests on mutants, each in a forked process; the source files are never touched.

The tests of a module are collected once. A mutant in the body of a function is made by giving the
loaded function other code, in the fork. Where code runs at import (tables, constants, defaults),
the fork is one of a process that has not imported anything of ours yet, and does so then.
"""

import ast
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType
from typing import Any, Final, TextIO

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.support.mutation.mutants import Mutant
from tests.support.mutation.swapping import swap
from tests.support.mutation.targets import Target

_OPTIONS: Final = (
    *("-x", "-q", "-p", "no:cacheprovider", "--capture=no"),
    # pytest complains that it can no more rewrite what was imported before it started.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
_MEMORY_BYTES: Final = 3 << 30
_POLL_S: Final = 0.005
_LIMIT_FACTOR: Final = 10
_LIMIT_S: Final = 3.0
"""A test may take so many times as long as without a change, and so many seconds more."""

Try = tuple[Mutant, ast.Module]


class NoShrinking:
    """A pytest plugin that saves the time that hypothesis takes for nicer failures."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Let hypothesis give up at the first failure: the smallest one is of no interest here.

        Later than conftest.py, which has a profile of its own.
        """
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutation", deadline=None, database=None, phases=phases)
        settings.load_profile("mutation")


class Loop:
    """A pytest plugin that takes the place of pytest's loop: tests, once for each mutant."""

    def __init__(
        self, target: Target, tries: Sequence[Try], report: Callable[[Mutant, bool], None]
    ) -> None:
        self._target = target
        self._tries = tries
        self._report = report

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Fork for each mutant, and say whether it survived."""
        # The module's own tests first: conftest.py begins with the long ones.
        session.items.sort(key=lambda item: _rank(item, self._target.tests))
        with tempfile.TemporaryFile("w+") as file:
            if not forked(partial(_measure, session, file), 600.0):
                raise pytest.UsageError(f"{' '.join(self._target.tests)} fail without any change")
            file.seek(0)
            seconds = dict(zip(session.items, map(float, file), strict=True))
        # Then the fast ones: the first that fails is enough.
        session.items.sort(key=lambda item: (_rank(item, self._target.tests), seconds[item]))
        limits_s = [_LIMIT_FACTOR * seconds[item] + _LIMIT_S for item in session.items]
        for mutant, tree in self._tries:
            self._report(mutant, forked(partial(self._passes, session, tree, limits_s), 600.0))
        return True

    def _passes(self, session: pytest.Session, tree: ast.Module, limits_s: Sequence[float]) -> bool:
        swap(self._target.module, tree)
        return _all_pass(session, limits_s)


def _rank(item: pytest.Item, tests: Sequence[str]) -> int:
    return tests.index(item.nodeid.partition("::")[0])


def _measure(session: pytest.Session, file: TextIO) -> bool:
    """Run all tests, and write down how many seconds each takes. Whether all pass."""
    for index in range(len(session.items)):
        started_s = time.monotonic()
        if not _passes(session, index):
            return False
        file.write(f"{time.monotonic() - started_s}\n")
    file.flush()
    return True


def _all_pass(session: pytest.Session, limits_s: Sequence[float]) -> bool:
    """A test that takes longer than its limit ends the process: that is noticed, too."""
    for index, limit_s in enumerate(limits_s):
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        if not _passes(session, index):
            return False
    return True


def _passes(session: pytest.Session, index: int) -> bool:
    following = session.items[index + 1] if index + 1 < len(session.items) else None
    reports = runtestprotocol(session.items[index], nextitem=following, log=False)
    return not any(report.failed for report in reports)


def _forget_evidence(folder: str) -> None:
    """What tests note of a mutant is none, and what Hypothesis finds is of that alone."""
    os.environ.pop("TEST_EVIDENCE", None)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder


def try_bodies(
    target: Target, tries: Sequence[Try], report: Callable[[Mutant, bool], None]
) -> bool:
    """Try mutants of function bodies, all in one fork of this process. Whether that worked."""

    def work() -> bool:
        with tempfile.TemporaryDirectory() as folder:
            _forget_evidence(folder)
            loop = Loop(target, tries, report)
            options = [*_OPTIONS, f"--basetemp={folder}/tests"]
            return (
                pytest.main([*options, *target.tests], plugins=[NoShrinking(), loop])
                == pytest.ExitCode.OK
            )

    return forked(work, float("inf"), quiet=False)


def survives_import(target: Target, tree: ast.Module, limit_s: float) -> bool:
    """Whether all tests pass, in time, when the module is imported from the tree."""

    def work() -> bool:
        finder: Any = _Finder(target.module, tree)
        sys.meta_path.insert(0, finder)
        with tempfile.TemporaryDirectory() as folder:
            _forget_evidence(folder)
            options = [*_OPTIONS, f"--basetemp={folder}/tests"]
            return pytest.main([*options, *target.tests], plugins=[NoShrinking()]) == 0

    return forked(work, limit_s)


def forked(work: Callable[[], bool], limit_s: float, *, quiet: bool = True) -> bool:
    """What the work returns in a forked process; False if it raises, crashes or takes too long."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        _run(work, quiet)
    deadline = time.monotonic() + limit_s
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(_POLL_S)


def _run(work: Callable[[], bool], quiet: bool) -> None:
    """In the child: never returns."""
    code = 1
    try:
        if quiet:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
        code = 0 if work() else 1
    finally:
        sys.stdout.flush()
        os._exit(code)


class _Loader(SourceFileLoader):
    """Loads a module from a tree instead of its file."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        super().__init__(name, path)
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self._tree, self.path, "exec", dont_inherit=True)
        return code


class _Finder:
    """Finds one module; put before all other finders."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self._name = name
        self._tree = tree

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if name != self._name:
            return None
        found = PathFinder.find_spec(name, path)
        assert found is not None
        assert found.origin is not None
        loader = _Loader(name, found.origin, self._tree)
        return ModuleSpec(name, loader, origin=found.origin)
