from tapemq.batch import CRC32, checksum


def test_is_the_ieee_crc_32() -> None:
    assert CRC32 == 1
    assert checksum(b"123456789") == 0xCBF43926
    assert checksum(b"6789", checksum(b"12345")) == checksum(memoryview(b"123456789"))
