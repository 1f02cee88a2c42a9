"""Bugs of the client and the command line that reading the code with other eyes has found."""

from typing import Final

from tests.support.proof.bug import Bug

REVIEWED_CLIENT: Final = (
    Bug(
        "A stream or queue that was being opened while the connection was lost could end the "
        "subscription of another reader of the same client on the next one, where it had the same "
        "number: the other waited for ever.",
        "a review",
        "tests/client/network/test_subscriptions.py::"
        "test_opening_that_is_given_up_takes_no_subscription_from_another_reader",
    ),
    Bug(
        "A seek of a stream without a group that was refused left the stream waiting for ever, "
        "without an error; one that was cancelled left it without some of its partitions.",
        "a review",
        "tests/client/streams/test_stream.py::test_cancelled_seek_without_a_group_has_not_happened",
    ),
    Bug(
        "`verify` found nothing damaged where the directory of a log was gone, or records that a "
        "group had handled were missing at the end, which the start refused; and the repair that "
        "the start advised said that the log did not exist.",
        "a review",
        "tests/broker/cli/commands/test_verify.py::"
        "test_a_log_that_is_gone_is_named_and_can_be_repaired_as_advised",
    ),
    Bug(
        "`verify` and `dump` opened every file for writing: a copy on a read-only file system "
        "could not be read.",
        "a review",
        "tests/broker/cli/commands/test_verify.py::test_a_copy_that_can_only_be_read_will_do",
    ),
    Bug(
        "Connections to the HTTP side that sent nothing stayed for ever: probes were answered 503, "
        "and the broker ended when it could open no more files.",
        "a review",
        "tests/broker/admin/test_http_connection.py::test_a_probe_gets_in_however_many_are_idle",
    ),
    Bug(
        "After a stream's commit() the next records of the same batch were committed as they "
        "were handed out, not when they were handled: a reader that failed lost them for its "
        "group.",
        "a review",
        "tests/client/streams/test_stream.py::"
        "test_explicit_commit_is_not_for_the_records_behind_it",
    ),
    Bug(
        "A schedule that was sent and not answered when the client was closed was told as not "
        "made, and pended all the same.",
        "a review",
        "tests/client/schedules/test_courier.py::"
        "test_what_was_sent_before_the_client_was_closed_may_be_scheduled",
    ),
    Bug(
        "A stream that raised CorruptBatch handed out what lies behind the damaged batch when "
        "it was asked again, and committed it: its records were skipped.",
        "a review",
        "tests/client/streams/test_stream_losses.py::test_damaged_batch_is_told",
    ),
    Bug(
        "`tapemq sub --group` committed what a full disk had not taken of its output: those "
        "records were read by nobody, and where Python does not buffer (in the container) it "
        "ended with 0.",
        "a review",
        "tests/broker/cli/commands/test_sub.py::"
        "test_what_a_full_disk_did_not_take_is_not_committed",
    ),
    Bug(
        "While nobody read what `tapemq sub` printed its event loop stood still: it was cut off, "
        "so that a group's records came again, and SIGTERM never ended it.",
        "a review",
        "tests/broker/cli/commands/test_sub.py::"
        "test_a_signal_ends_it_while_nobody_reads_what_it_prints",
    ),
    Bug(
        "A broker that could not print its ready line ended with 70, as if its disk had "
        "failed; supervisors that do not read its output could not keep one running.",
        "a review",
        "tests/broker/cli/test_broker_process.py::"
        "test_it_serves_though_nobody_can_read_that_it_is_ready",
    ),
    Bug(
        "`tapemq sub --queue --no-follow` never ended in a group that was paused, full of "
        "dead records or damaged, and with `--no-ack` where a key's records waited behind the "
        "one that it kept.",
        "a review",
        "tests/broker/cli/test_queue_reading.py::test_a_group_that_is_paused_is_not_waited_for",
    ),
    Bug(
        "A broker that was started with standard input, output or error closed was aborted by "
        "its event loop instead of ending with 0: files and connections had got their "
        "numbers.",
        "a review",
        "tests/client/test_main.py::test_a_broker_without_standard_streams_stops_cleanly",
    ),
    Bug(
        "`verify` found damage and ended with 0 where its output was a pipe that nobody read "
        "any more (`| head -1` in the container).",
        "a review",
        "tests/broker/cli/commands/test_verify.py::test_damage_ends_with_4_whoever_reads_of_it",
    ),
    Bug(
        "`schedule(every=0)`, or with an empty cron, was answered like any other: the record "
        "came once, at once, and never again.",
        "a review",
        "tests/client/schedules/test_plan.py::test_what_recurs_never_is_refused",
    ),
    Bug(
        "A client that was used in another event loop than its own (a second thread's, or that of "
        "a test whose fixture had one) waited for ever in close(), and for its timeouts in "
        "publish(), and cut off all others of its connection, instead of saying so.",
        "a review",
        "tests/client/test_client.py::test_another_event_loop_is_told_so_and_harms_nobody",
    ),
    Bug(
        "publish() with a `timeout` that is no number (a timedelta, text) raised TypeError when "
        "the record had been taken: it came into the log, and a second time with the call that "
        "was put right.",
        "a review",
        "tests/client/test_timeouts.py::test_nothing_is_sent_with_a_timeout_that_is_none",
    ),
    Bug(
        "With `connect(timeout=)` infinite, or no number, each publish() waited for ever: what "
        "opens the topic had failed where nobody looked.",
        "a review",
        "tests/client/test_timeouts.py::test_a_client_may_wait_for_ever",
    ),
    Bug(
        "A stream of a group that was left by an exception and entered again went on behind the "
        "record that had been in hand, and committed it: the group never got it. Nor did leaving "
        "it that time commit what was handled.",
        "a review",
        "tests/client/streams/test_stream_losses.py::"
        "test_what_was_in_hand_comes_again_when_the_stream_is_entered_again",
    ),
    Bug(
        "A call that scheduled a record, and was cancelled in the moment in which its time was "
        "over, took the records of others that would have left with it back, too: theirs were "
        "not scheduled. publish() raised ValueError then, as it did inside an asyncio.timeout() "
        "of the same length.",
        "a review",
        "tests/client/schedules/test_scheduler.py::"
        "test_what_is_late_and_cancelled_at_once_is_withdrawn_once",
    ),
    Bug(
        "Each call on a producer that had failed, a stream or queue that had ended, or (without "
        "asyncio) a client that was closed made one and the same error longer by its frames, and "
        "kept the record that it was called with: who tried on ran out of memory.",
        "a review",
        "tests/client/test_client.py::test_errors_of_what_is_closed_do_not_grow",
    ),
    Bug(
        "Closing a client that was cancelled at the wrong moment left its connection open and "
        "answering heartbeats, for as long as the process lived; closing it again did nothing.",
        "a review",
        "tests/client/network/test_link.py::"
        "test_closing_that_is_cancelled_leaves_no_connection_behind",
    ),
    Bug(
        "Records that were scheduled at the same time left together whatever the broker's limits "
        "were: one with batch_bytes_max below 256 KiB ended the session, again and again, with "
        "the streams and queues of that client, until the calls had timed out.",
        "a review",
        "tests/client/schedules/test_scheduler.py::"
        "test_what_leaves_together_is_no_larger_than_the_broker_takes",
    ),
    Bug(
        "A broker whose terminal was closed (SIGHUP) was killed by that: the next start read, "
        "and wrote again, what a clean stop notes, for minutes with thousands of partitions.",
        "a review",
        "tests/broker/cli/test_broker_process.py::"
        "test_a_terminal_that_is_closed_stops_it_cleanly_however_often_that_is_told",
    ),
    Bug(
        "Delayed publishes that were cancelled, or late, just before they left kept their place: "
        "after two of them nothing more was scheduled in that partition; each call timed out.",
        "a review",
        "tests/client/schedules/test_scheduler.py::"
        "test_what_is_given_up_before_its_turn_keeps_no_place",
    ),
    Bug(
        "Members of a stream group that were begun at the same time waited 5 s for partitions: the "
        "one that had them was asked for them while it was being entered, and did not answer.",
        "a review",
        "tests/client/streams/test_committer.py::"
        "test_partition_that_is_asked_for_while_the_stream_is_entered_is_released",
    ),
    Bug(
        "A delayed publish that was on its way while the broker restarted with a lower "
        "batch_bytes_max ended each new session of its client, until its time was over.",
        "a review",
        "tests/client/schedules/test_courier.py::"
        "test_what_is_too_large_since_a_restart_is_not_sent_again_and_again",
    ),
    Bug(
        "A stream or queue whose topic was deleted, or made anew, while it was being opened with "
        "asyncio asked for the old one until its timeout, and then blamed the connection.",
        "a review",
        "tests/client/network/test_subscriptions.py::"
        "test_topic_that_is_deleted_while_a_reader_opens_is_not_waited_for",
    ),
    Bug(
        "Small delayed publishes that waited together while the broker restarted with a lower "
        "batch_bytes_max were refused together as too large.",
        "a review",
        "tests/client/schedules/test_scheduler.py::"
        "test_what_was_gathered_before_the_broker_takes_less_leaves_in_parts",
    ),
    Bug(
        "A stream with `commit_interval=nan` committed nothing until it was left; without "
        "asyncio, none of its client did, and the client's thread took a whole processor.",
        "a review",
        "tests/client/streams/test_choices.py::test_an_interval_is_one_that_timers_can_count",
    ),
    Bug(
        "Without asyncio, a stream that was left with a record in hand of a partition that was "
        "asked back committed and released it seconds later, though `close()` had left without "
        "committing.",
        "a review",
        "tests/client/sync/test_committer.py::"
        "test_what_was_not_given_up_when_the_stream_was_left_is_not_given_up_later",
    ),
    Bug(
        "Each `crash()` of a `tapemq.testing.Broker` on a directory left the index of "
        "schedules open, with a thread; from Python 3.13 on, tests that take warnings for "
        "errors failed for it.",
        "a review",
        "tests/client/testing/test_broker.py::test_crashes_leave_no_index_of_schedules_open",
    ),
    Bug(
        "commit() of a stream returned as if all was committed when a partition had been given up "
        "before it was called, with a record in hand or with what nobody had committed: the next "
        "member was handed that again.",
        "the simulation, since partitions are handed over at its end",
        "tests/client/streams/test_committer.py::"
        "test_commit_of_a_record_in_hand_whose_partition_was_given_up_is_no_success",
    ),
    Bug(
        "With Python 3.12 or 3.13, a batch that asyncio's client sent in the very moment in which "
        "the broker closed the connection was never sent again, and kept all later records of that "
        "client from its partition; a broker in a test, which has no uvloop, ended when it "
        "delivered to a client that just left.",
        "a review, running the tests with newer Pythons",
        "tests/client/network/test_connection.py::"
        "test_what_is_sent_while_the_connection_closes_learns_of_the_loss",
    ),
    Bug(
        "With Python 3.14, each attempt to connect that was not answered in time logged an error "
        "of asyncio's with a traceback, of something that nobody waits for any more.",
        "a review, running the tests with newer Pythons",
        "tests/client/network/test_link.py::"
        "test_a_port_that_says_nothing_is_no_matter_for_the_log_of_asyncio",
    ),
    Bug(
        "`tapemq sub --group --no-follow` with a queue group that has settled all printed nothing "
        "and ended with 0, as if it had been read; with records left it named the mistake.",
        "a review",
        "tests/broker/cli/commands/test_sub.py::"
        "test_a_queue_group_that_has_nothing_left_is_named_as_one",
    ),
    Bug(
        "Where an overloaded broker refused the commit in front of a partition that was asked "
        "back, the stream kept the partition until it was taken: who waited for it was handed "
        "again what had been handled, and only then.",
        "a review",
        "tests/client/streams/test_committer.py::"
        "test_an_overloaded_broker_is_asked_again_before_a_partition_goes",
    ),
    Bug(
        "`commit()` of a stream with `commit_interval=None` raised Fenced, of records that were "
        "committed, where its partition was asked back while the commit was on its way.",
        "a review",
        "tests/client/streams/test_committer.py::"
        "test_commit_that_was_asked_for_before_the_partition_went_is_a_success",
    ),
    Bug(
        "Without asyncio, a client whose thread could not be started, because there were too many, "
        "said so once: all later calls waited for it until their timeouts.",
        "a review",
        "tests/client/sync/test_link.py::"
        "test_thread_that_cannot_be_started_is_started_by_a_later_call",
    ),
    Bug(
        "A URL with a host that can be none, such as `a..b`, was an error of Python's codecs with "
        "asyncio; without asyncio it ended the client's thread, and was told as a broker that does "
        "not answer.",
        "a review",
        "tests/client/network/test_url.py::test_what_is_no_url_is_refused_with_a_reason",
    ),
    Bug(
        "`tapemq pub` called lines published that had been refused, or lost, where what the broker "
        "takes became less meanwhile, or where a line behind them was too long.",
        "a review",
        "tests/broker/cli/commands/test_pub.py::"
        "test_lines_that_were_refused_are_not_called_published",
    ),
    Bug(
        "Without asyncio, a client that was dropped without close() kept its thread and its "
        "connection until the process ended.",
        "a review",
        "tests/client/sync/test_client.py::test_client_that_is_dropped_warns_and_ends_its_thread",
    ),
)
