from tapemq.worker.exits import Exit
from tapemq_broker.cli import exits


def test_they_are_those_of_the_other_commands() -> None:
    assert {code.name: code.value for code in Exit}.items() <= {
        code.name: code.value for code in exits.Exit
    }.items()
