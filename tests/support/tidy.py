"""The limits that keep the code small, and what must not be in the repository."""

import ast
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from statistics import median

from tests.support.sources import ROOT
from tests.support.statements import statements

MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 400
MAX_LINE_COLUMNS = 100
MAX_MEDIAN_FILE_LINES = 170
MAX_MEDIAN_FUNCTION_LINES = 10

# A letter of each in brackets, because this file is checked too.
MARKS = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
PLACES = re.compile(
    r"(?<![\w.}$-])/(w[o]rk|r[o]ot|t[m]p|h[o]me/\w+)\b"
    r"|\b(p[y]pi\.org|p[y]thonhosted\.org|n[p]mjs\.(org|com)|d[e]b\.debian\.org)"
    r"|\b(i[n]dex[-_]url|f[i]nd[-_]links)\b",
    re.IGNORECASE,
)
TESTS_OF = {"client/tapemq": "tests/client", "broker/tapemq_broker": "tests/broker"}
UNMIRRORED = ("__init__.py", "__main__.py")
SKIPPED_FOLDERS = ("__pycache__", "build", "dist", "node_modules")
KEPT_DOT_NAMES = (".ci", ".github", ".dockerignore", ".gitignore")


def functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, first line and number of lines of every function in the text."""
    for node in statements(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1


def size_complaints(path: str, text: str) -> list[str]:
    """Which functions, lines or files are too long."""
    lines = text.splitlines()
    found = [
        f"{path}:{number}: the line has {len(line)} columns, at most {MAX_LINE_COLUMNS}"
        for number, line in enumerate(lines, 1)
        if len(line) > MAX_LINE_COLUMNS
    ]
    found += [
        f"{path}:{number}: {name} has {size} lines, at most {MAX_FUNCTION_LINES}"
        for name, number, size in functions(text)
        if size > MAX_FUNCTION_LINES
    ]
    if len(lines) > MAX_FILE_LINES:
        found.append(f"{path}: the file has {len(lines)} lines, at most {MAX_FILE_LINES}")
    return found


def median_complaints(sources: Iterable[tuple[str, str]]) -> list[str]:
    """Whether the median file or function of the sources is too long."""
    texts = [text for path, text in sources if not path.endswith(UNMIRRORED)]
    files = [len(text.splitlines()) for text in texts]
    sizes = [size for text in texts for _, _, size in functions(text)]
    found = []
    if files and median(files) > MAX_MEDIAN_FILE_LINES:
        found.append(f"median file: {median(files)} lines, at most {MAX_MEDIAN_FILE_LINES}")
    if sizes and median(sizes) > MAX_MEDIAN_FUNCTION_LINES:
        found.append(f"median function: {median(sizes)} lines, at most {MAX_MEDIAN_FUNCTION_LINES}")
    return found


def text_complaints(pattern: re.Pattern[str], path: str, text: str) -> list[str]:
    """Where the pattern occurs in the text."""
    return [
        f"{path}:{number}: {match[0]!r} must not be in the repository"
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]


def mirrored_test(path: str) -> str | None:
    """The test file that belongs to a source file, None where none is asked for.

    `client/tapemq/wire/frames.py` has `tests/client/wire/test_frames.py`; a leading underscore
    of the source file's name is left out.
    """
    source = PurePosixPath(path)
    for folder, tests in TESTS_OF.items():
        if source.is_relative_to(folder) and source.name not in UNMIRRORED:
            parent = PurePosixPath(tests) / source.relative_to(folder).parent
            return str(parent / f"test_{source.name.lstrip('_')}")
    return None


def mirror_complaints(paths: Iterable[str], root: Path = ROOT) -> list[str]:
    """Which source files lack their test file."""
    return [
        f"{path}: has no test file {test}"
        for path in paths
        if (test := mirrored_test(path)) and not (root / test).is_file()
    ]


def text_files(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """The path and the text of every text file that belongs to the repository."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if _is_ours(name))
        for name in sorted(filter(_is_ours, names)):
            path = Path(folder, name)
            try:
                yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def _is_ours(name: str) -> bool:
    return name in KEPT_DOT_NAMES or not (name.startswith(".") or name in SKIPPED_FOLDERS)
