import pytest

from tapemq.batch import BatchError
from tapemq_broker.storage.gap import Gap, decode_gap

GAP = Gap(to_offset=(1 << 64) - 1, to_batch=7, previous_checksum=0xFFFFFFFF, reason="lost: 3 KiB ☠")


def test_gap_survives_the_round_trip() -> None:
    assert decode_gap(GAP.encode()) == GAP
    assert decode_gap(memoryview(GAP._replace(reason="").encode())).reason == ""


@pytest.mark.parametrize(
    "body", [b"", GAP.encode()[:20], b"\x02" + GAP.encode()[1:], GAP.encode() + b"\xff"]
)
def test_other_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(BatchError):
        decode_gap(body)
