from tapemq.batch import Kind, decode_header
from tapemq_broker.storage.appending import MARK, follow
from tapemq_broker.storage.chain import LogEnd
from tests.support.logs import LOG_ID, batch_of

END = LogEnd(10, 4, 0xABCD, 2, 500)
DURABLE = LogEnd(7, 3, 0x1234, 2, 400)


def test_a_header_continues_the_log_and_says_what_is_durable() -> None:
    batch = batch_of(b"a", b"b", flags=1)
    new = follow(END, DURABLE, LOG_ID, batch, now_us=600)
    header = decode_header(new.head)
    assert header[:-1] == new.header[:-1]
    assert (header.base_offset, header.batch_number, header.record_count) == (10, 4, 2)
    assert (header.durable_upto, header.durable_batch) == (7, 3)
    assert (header.previous_checksum, header.log_epoch, header.flags) == (0xABCD, 2, 1)
    header.check_body(bytes(batch.body))
    assert new.end == END.step(header, memoryview(batch.body), LOG_ID)


def test_time_never_goes_back() -> None:
    assert follow(END, DURABLE, LOG_ID, batch_of(b"a"), now_us=499).end.last_append_time_us == 500
    assert follow(END, DURABLE, LOG_ID, batch_of(b"a"), now_us=501).end.last_append_time_us == 501


def test_a_mark_has_no_records() -> None:
    new = follow(END, END, LOG_ID, MARK, now_us=600)
    header = decode_header(new.head)
    assert (header.kind, header.record_count, header.body_length) == (Kind.MARK, 0, 0)
    assert (new.end.next_offset, new.end.next_batch) == (10, 5)
    header.check_body(b"")
