"""Who may import whom, and who may touch the world: the map that CONTRIBUTING.md explains."""

import ast
import sys
import tomllib
from collections.abc import Container, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter

from tests.support.imports import Import, imports, is_within, module_name, uses
from tests.support.sources import ROOT

_ENGINE = ("tapemq.batch", "tapemq.wire", "tapemq_broker.storage", "tapemq_broker.core")
_SERVER = (*_ENGINE, "tapemq_broker.config", "tapemq_broker.server")

# A module belongs to the longest of these names that it is within.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "tapemq": ("tapemq.batch", "tapemq.wire"),
    "tapemq.batch": (),
    "tapemq.wire": ("tapemq.batch",),
    "tapemq.testing": ("tapemq", "tapemq.batch", "tapemq.wire"),
    "tapemq.__main__": ("tapemq",),
    "tapemq_broker": (),
    "tapemq_broker.config": (),
    "tapemq_broker.storage": ("tapemq.batch",),
    "tapemq_broker.core": ("tapemq.batch",),
    "tapemq_broker.server": (*_ENGINE, "tapemq_broker.config"),
    "tapemq_broker.admin": (*_SERVER, "tapemq_broker"),
    "tapemq_broker.cli": (*_SERVER, "tapemq_broker", "tapemq_broker.admin", "tapemq"),
}
# These may reach the broker, but only inside a function.
REACHES_BROKER_LAZILY = ("tapemq.testing", "tapemq.__main__")

PURE = ("tapemq.batch", "tapemq.wire", "tapemq_broker.core")
NOT_IN_PURE = (
    *("asyncio", "concurrent", "multiprocessing", "os", "pathlib", "random", "secrets"),
    *("select", "selectors", "shutil", "signal", "socket", "ssl", "subprocess", "tempfile"),
    *("threading", "time", "uvloop"),
)
NOT_IN_STORAGE = ("asyncio", "uvloop")

# The only modules that may read a clock or draw randomness.
SEAMS = (
    "tapemq._clock",
    "tapemq_broker.server.clock",
    "tapemq_broker.storage.disk",
    "tapemq_broker.storage.files",
)
WORLD = (
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns"),
    *("time.perf_counter", "time.perf_counter_ns"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
    *("datetime.date.today", "os.urandom", "os.getrandom", "uuid.uuid1", "uuid.uuid4"),
    *("random", "secrets"),
)
# The type of a generator that is handed in.
NOT_WORLD = ("random.Random",)

# Third-party packages of the SDK, besides msgpack, and where they may be imported.
OF_LAYERS = {
    "tapemq.batch": ("backports", "compression", "zlib_ng"),
    "tapemq.streams": ("msgspec",),
    "tapemq.testing": ("pytest", "pytest_asyncio"),
}


def layer_of(name: str) -> str | None:
    """The layer that the dotted name belongs to; None for what is not ours."""
    return max((layer for layer in MAY_IMPORT if is_within(name, layer)), key=len, default=None)


def layer_complaints(path: str, text: str) -> list[str]:
    """What the module at the path imports or uses that its layer does not allow."""
    module = module_name(path)
    layer = layer_of(module) or ""
    tree = ast.parse(text)
    found = [
        f"{path}:{item.line}: {reason}"
        for item in imports(path, tree)
        if (reason := _import_complaint(module, layer, item))
    ]
    if module not in SEAMS:
        found += [f"{path}:{line}: {name} outside a seam" for name, line in uses_of_world(tree)]
    return found


def _import_complaint(module: str, layer: str, item: Import) -> str | None:
    target = layer_of(item.name)
    if target:
        return None if _may_import(layer, target, item) else f"{layer} may not import {item.name}"
    if any(is_within(item.name, banned) for banned in _banned(layer)):
        return f"{layer} does no I/O and may not import {item.name}"
    if not _is_allowed_package(module, item.name.partition(".")[0]):
        return f"{item.name} is not among the dependencies of {layer}"
    return None


def _may_import(layer: str, target: str, item: Import) -> bool:
    if target in {layer, *MAY_IMPORT[layer]}:
        return True
    return layer in REACHES_BROKER_LAZILY and is_within(target, "tapemq_broker") and item.lazy


def _banned(layer: str) -> tuple[str, ...]:
    if layer in PURE:
        return NOT_IN_PURE
    return NOT_IN_STORAGE if layer == "tapemq_broker.storage" else ()


def _is_allowed_package(module: str, package: str) -> bool:
    if package in sys.stdlib_module_names or package == "msgpack":
        return True
    if is_within(module, "tapemq_broker"):
        return package in broker_packages()
    return any(is_within(module, layer) and package in OF_LAYERS[layer] for layer in OF_LAYERS)


def broker_packages() -> set[str]:
    """The top-level names of the `broker` extra's distributions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = project["optional-dependencies"]["broker"]
    return {line.split(">=")[0].split("[")[0].replace("-", "_") for line in requirements}


def uses_of_world(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names through which the module reads a clock or draws randomness, with their lines."""
    for name, line in uses(tree):
        if any(is_within(name, world) for world in WORLD) and name not in NOT_WORLD:
            yield name, line


def cycle(sources: Iterable[tuple[str, str]]) -> list[str]:
    """The modules of one import cycle among the sources (paths and texts), or nothing."""
    files = {module_name(path): (path, text) for path, text in sources}
    graph = {
        module: {
            target
            for item in imports(path, ast.parse(text))
            if (target := _module_of(item.name, files)) and target != module
        }
        for module, (path, text) in files.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _module_of(name: str, modules: Container[str]) -> str | None:
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None
