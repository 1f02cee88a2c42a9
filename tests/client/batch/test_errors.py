import pytest

from tapemq.batch import BatchError, ChecksumMismatch, UnknownFormat


@pytest.mark.parametrize("error", [ChecksumMismatch, UnknownFormat])
def test_one_class_catches_all(error: type[BatchError]) -> None:
    assert issubclass(error, BatchError)
    assert issubclass(BatchError, ValueError)
