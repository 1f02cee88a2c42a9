from tapemq_broker.admin.readiness import reasons_against
from tapemq_broker.server.recovery_progress import RecoveryProgress
from tests.support.status import status


def test_nothing_is_against_a_broker_that_serves() -> None:
    assert reasons_against(status(), draining=False) == {}


def test_recovering() -> None:
    reasons = reasons_against(RecoveryProgress(), draining=False)
    assert reasons == {"recovering": "the broker is reading its data directory"}


def test_draining_is_not_recovering() -> None:
    expected = {"draining": "the broker is stopping"}
    assert reasons_against(status(ready=False, blocked="stopping"), draining=True) == expected
    assert reasons_against(RecoveryProgress(), draining=True) == expected
    assert reasons_against(status(ready=False), draining=True) == expected
    assert reasons_against(status(ready=True), draining=True) == expected


def test_low_disk_names_the_numbers() -> None:
    reasons = reasons_against(status(blocked="disk_low", disk_free_bytes=7), draining=False)
    assert reasons == {
        "disk_low": "publishing is blocked: 7 bytes of disk are free, 100 must stay free"
    }
