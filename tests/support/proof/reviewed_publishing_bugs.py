"""Bugs of the client's publishing that were found by reading the code with somebody else's eyes."""

from typing import Final

from tests.support.proof.bug import Bug

REVIEWED_PUBLISHING: Final = (
    Bug(
        "One publish to a partition named by a number that is no int (1.0, True, an integer "
        "of numpy) could not be sent, and kept all later records of that client from that "
        "partition for ever.",
        "a review",
        "tests/client/publishing/test_confirmed.py::"
        "test_partition_that_is_no_integer_harms_no_other_record",
    ),
    Bug(
        "When one partition refused a batch for good, records that were on their way to "
        "others were told as refused, too, and those in flight at a close as closed: they "
        "were in the log, and who published them again had them twice.",
        "a review",
        "tests/client/publishing/test_publisher.py::"
        "test_refusal_is_not_told_of_what_may_be_in_the_log",
    ),
    Bug(
        "flush() of a producer waited for ever, as long as other tasks or threads sent to it.",
        "a review",
        "tests/client/publishing/test_producer_flush.py::"
        "test_flush_does_not_wait_for_what_is_sent_meanwhile",
    ),
    Bug(
        "A call of publish() that was cancelled at the moment in which its partition was refused "
        "let every later record of that client for the topic wait for the topic for ever.",
        "a review",
        "tests/client/publishing/test_outbox.py::"
        "test_withdrawing_what_was_refused_keeps_nobody_waiting",
    ),
    Bug(
        "`Receipt.timestamp` was in 1970 when a publish had been sent again after a lost "
        "connection: a stream started there delivered the whole topic once more.",
        "a review",
        "tests/client/publishing/test_receipt.py::test_a_duplicate_has_no_time_that_is_known",
    ),
    Bug(
        "A producer with a linger kept each record in memory for that time, though its batch was "
        "full and confirmed long before: with a linger of 10 s, all that was published in 10 s.",
        "a review",
        "tests/client/publishing/test_router.py::"
        "test_records_that_have_left_are_not_kept_as_long_as_they_might_have_lingered",
    ),
    Bug(
        "After a restart with a lower batch_bytes_max a client went on making batches as large "
        "as before: one of them ended the session, and was sent again on each new one, for ever. "
        "That client published nothing to its topic any more, and its streams and queues were "
        "cut off each time.",
        "a review",
        "tests/client/publishing/test_router.py::"
        "test_what_is_too_large_since_a_restart_is_not_sent_again_and_again",
    ),
    Bug(
        "A client kept a publisher for each topic that it had ever published to: one that worked "
        "for topics that come and go grew for as long as it lived.",
        "a review",
        "tests/client/publishing/test_publishers.py::"
        "test_who_publishes_to_ever_new_topics_keeps_little",
    ),
    Bug(
        "Four topics that took no records for long, full ones for example, kept a client from "
        "giving up any of its publishers: with ever new topics it grew for as long as that was.",
        "a review",
        "tests/client/publishing/test_publishers.py::test_those_at_work_hold_up_no_others",
    ),
    Bug(
        "Records published together, or with a delay, that filled a batch up to batch_bytes_max, "
        "were refused as too large: what a batch is beside its records was not counted in.",
        "a review",
        "tests/client/publishing/test_item.py::"
        "test_what_leaves_together_has_room_for_what_a_batch_is_beside_its_records",
    ),
    Bug(
        "The error of a batch, or of what is scheduled together, that a broker with a lower "
        "limit takes no more said neither which setting that is nor what to do.",
        "a review",
        "tests/client/publishing/test_router.py::"
        "test_what_is_too_large_since_a_restart_is_not_sent_again_and_again",
    ),
    Bug(
        "A delay, an interval or a time to live that was a text, and a URL that was none, were "
        "told as a comparison, or an attribute, that Python does not know.",
        "a review",
        "tests/client/publishing/test_item.py::test_a_time_to_live_that_is_no_duration_is_named",
    ),
    Bug(
        "What gathered while a broker was started with lower limits, or what it refused before, "
        "failed its producer where the records fit in smaller batches.",
        "a review",
        "tests/client/publishing/test_router.py::"
        "test_what_is_too_large_together_since_a_restart_is_sent_in_smaller_batches",
    ),
    Bug(
        "Whoever published much and large batches kept the window of its connection: others of "
        "the same client that had as large ones to publish got no turn, until their time was over.",
        "a review",
        "tests/client/publishing/test_router.py::"
        "test_who_always_has_more_leaves_room_to_the_others",
    ),
    Bug(
        "A client that was closed gave up the records of a producer whose block was not left yet, "
        "and said nothing of it.",
        "a review",
        "tests/client/publishing/test_producer_drain.py::"
        "test_closing_the_client_waits_for_what_a_producer_was_handed",
    ),
    Bug(
        "Room in the publish window that was kept for a scheduled record, which then was too large "
        "for a broker that had been started again, was given to nobody: others waited on.",
        "a review, an hour after it was written",
        "tests/client/schedules/test_courier.py::"
        "test_room_for_what_turns_out_to_be_too_large_is_for_others",
    ),
    Bug(
        "Records that were given up, or refused for a while, while they waited for room in the "
        "publish window kept their turn: smaller ones behind them, for which there was room, "
        "waited on, and timed out.",
        "a review, on the day it was written",
        "tests/client/publishing/test_router_room.py::test_room_that_is_not_used_now_is_for_others",
    ),
    Bug(
        "A record that was given up while it waited with others, which were to be scheduled "
        "together, for room in the publish window kept its share of that: there was room for the "
        "others, and they timed out.",
        "a review",
        "tests/client/schedules/test_courier.py::"
        "test_room_that_a_withdrawn_record_wanted_is_for_others",
    ),
    Bug(
        "What waited for room in the publish window while its topic was looked up again kept its "
        "turn: smaller records of other topics waited on, though there was room.",
        "a review, by playing thousands of random orders of events",
        "tests/client/publishing/test_router_room.py::test_room_that_is_not_used_now_is_for_others",
    ),
    Bug(
        "Whoever wanted more of the publish window when it had had its turn did not get what was "
        "left of it before the next answer, and those behind it waited on, though there was room.",
        "a review, by playing thousands of random orders of events",
        "tests/client/publishing/test_router_room.py::"
        "test_room_that_is_left_after_everybodys_turn_is_used_at_once",
    ),
    Bug(
        "Closing a client without asyncio let what lingered in its producers leave one producer "
        "after the other: behind one that got no receipt it was never sent.",
        "a review, on the day it was written",
        "tests/client/sync/test_producer.py::"
        "test_closing_the_client_lets_the_records_of_all_producers_leave_at_once",
    ),
    Bug(
        "`close(timeout=0)` of a client warned of unconfirmed publishes where all were confirmed.",
        "a review",
        "tests/client/publishing/test_producer_drain.py::"
        "test_closing_the_client_at_once_warns_of_nothing_that_is_confirmed",
    ),
    Bug(
        "A client that was closed did not wait for records that were just being scheduled, as it "
        "does for those that are published.",
        "a review",
        "tests/client/schedules/test_underway.py::"
        "test_closing_the_client_waits_for_what_is_being_scheduled",
    ),
    Bug(
        "A producer whose topic was deleted and made anew with fewer partitions named a partition "
        "that nobody had asked for; some of its records came into the new topic and were called "
        "uncertain.",
        "a review",
        "tests/client/publishing/test_router_anew.py::"
        "test_records_for_partitions_that_are_no_more_fail_with_that_reason",
    ),
    Bug(
        "Leaving the block of a producer raised Closed where the client had been closed in it, "
        "though every record was confirmed.",
        "a review",
        "tests/client/publishing/test_producer_drain.py::"
        "test_leaving_a_producer_of_a_closed_client_is_no_failure_if_all_is_confirmed",
    ),
    Bug(
        "A closed producer was kept in memory by the timers of records that would have lingered, "
        "until these were due.",
        "a review",
        "tests/client/publishing/test_router_linger.py::"
        "test_nothing_is_kept_of_a_closed_publisher_until_its_records_would_have_left",
    ),
    Bug(
        "What a connection had sent of a frame was kept when it was cut for want of memory, until "
        "its turn to be read came: of many that sent half a frame the broker grew by a fifth more "
        "than of their parts, and cut others for it.",
        "the overload test of half frames",
        "tests/broker/server/test_received_memory.py::test_who_is_cut_holds_nothing_from_then_on",
    ),
)
