from datetime import UTC, datetime

import tapemq


def test_a_receipt_says_what_is_needed_to_cancel() -> None:
    due = datetime(2026, 1, 1, tzinfo=UTC)
    receipt = tapemq.ScheduleReceipt("t", 0, 7, due, False, True)
    assert (receipt.schedule_id, receipt.due, receipt.replaced) == (7, due, True)
