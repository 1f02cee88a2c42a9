import ast
from collections.abc import Iterator

from tapemq.wire.errors import ERRORS
from tapemq_broker.core.refusal import Refusal, Refused
from tests.support.sources import python_files


def names_of_refusals() -> Iterator[object]:
    """The first argument of each Refused(...) and Refusal(...) in the core, where it is written."""
    for _, text in python_files("broker/tapemq_broker/core"):
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Call(
                    func=ast.Name(id="Refused" | "Refusal"), args=[ast.Constant(name), *_]
                ):
                    yield name


def test_the_protocol_has_every_refusal() -> None:
    names = set(names_of_refusals())
    assert len(names) > 10
    assert names <= {kind.name for kind in ERRORS.values()}


def test_refused_has_its_refusal() -> None:
    refused = Refused("overloaded", "not now", 1.5)
    assert refused.refusal == Refusal("overloaded", "not now", 1.5)
    assert str(refused) == "not now"
