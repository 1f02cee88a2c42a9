from tapemq.batch import limits


def test_record_of_the_largest_size_fits_into_a_body() -> None:
    most = limits.RECORD_BYTES_MAX + limits.EXTRAS_BYTES_MAX + 2**20
    assert most < limits.BODY_BYTES_MAX == limits.DATA_BYTES_MAX


def test_batch_of_the_largest_count_fits_into_a_body() -> None:
    assert 3 * 4 * limits.COUNT_MAX < limits.BODY_BYTES_MAX // 20
    assert limits.BODY_BYTES_MAX < 2**32 - 1
