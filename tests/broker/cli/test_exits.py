from tapemq_broker.cli.exits import Exit
from tapemq_broker.server.world import EXIT_STORAGE_FAILED


def test_scripts_can_rely_on_the_codes() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "UNREACHABLE": 3,
        "DAMAGE": 4,
        "CANNOT_LISTEN": 69,
        "STORAGE_FAILED": 70,
        "DATA_REFUSED": 73,
        "BAD_CONFIGURATION": 78,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }


def test_a_failed_disk_ends_the_process_with_the_same_code_wherever_it_is_seen() -> None:
    assert Exit.STORAGE_FAILED == EXIT_STORAGE_FAILED
