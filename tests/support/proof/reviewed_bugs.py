"""Bugs that were found by reading the code with somebody else's eyes."""

from typing import Final

from tests.support.proof.bug import Bug

REVIEWED: Final = (
    Bug(
        "Changes of a group that a full disk had held back were written after its deletion, and "
        "undid it at the next start.",
        "a review",
        "tests/broker/server/test_answers_about_state.py::"
        "test_what_a_full_disk_kept_out_does_not_undo_what_is_put_later",
    ),
    Bug(
        "An answer that stood for changes in several logs, of which a full disk had taken only "
        "some, could be let go by news of a round before the one that synced the rest.",
        "a review",
        "tests/broker/server/test_answers_about_state.py::"
        "test_news_of_an_earlier_round_lets_go_of_nothing_that_this_round_syncs",
    ),
    Bug(
        "A change of a group's settings in the second in which a full disk had room again ended "
        "the broker.",
        "a review",
        "tests/broker/server/test_answers_about_state.py::"
        "test_room_that_comes_back_with_a_change_of_settings_is_used_once",
    ),
    Bug(
        "A group's deletion that a full disk refused was not taken back where it had been written, "
        "when there was room again: settled records could come back after the next start.",
        "a review",
        "tests/broker/server/test_answers_about_state.py::"
        "test_a_change_that_was_refused_is_taken_back_when_there_is_room",
    ),
    Bug(
        "State that was put while the first part of a snapshot found no room, and smaller changes "
        "did, was durable, confirmed, and forgotten by the start after the snapshot.",
        "a review",
        "tests/broker/storage/test_state_log.py::"
        "test_what_fits_while_a_snapshot_does_not_is_never_forgotten",
    ),
    Bug(
        "More than 65,535 dead records that retention removed at once ended the broker, and every "
        "start after that.",
        "a review",
        "tests/broker/server/test_state_changes.py::"
        "test_a_batch_never_has_more_entries_than_it_takes",
    ),
    Bug(
        "Who read a topic with a partition that the catalog had forgotten was not told of the "
        "records in it when it was made again; and damage of it ended the broker.",
        "a review",
        "tests/broker/server/test_engine.py::"
        "test_damage_of_a_partition_that_the_catalog_forgot_refuses_the_change",
    ),
    Bug(
        "A clean stop of the broker counted a crash for every handler at work, and a few of them "
        "made its record dead.",
        "a review",
        "tests/broker/server/handlers/test_queues.py::test_a_stop_of_the_broker_counts_no_crash",
    ),
    Bug(
        "One frame that named a large lease 4,096 times kept the event loop for seconds; leases "
        "extended to ever other times left a little memory each.",
        "a review",
        "tests/broker/server/handlers/test_queues.py::"
        "test_a_lease_that_is_named_again_and_again_is_extended_once",
    ),
    Bug(
        "What a full disk had written in part, and was cut off again, was in no sync: a power cut "
        "brought the torn bytes back, and acknowledged batches behind them were set aside.",
        "a review",
        "tests/broker/storage/test_cut_back.py::test_a_refused_append",
    ),
    Bug(
        "Foreign bytes at the end of a sealed segment counted as a torn write: the next one was "
        "set aside, with acknowledged batches.",
        "a review",
        "tests/broker/storage/test_diagnosis.py::"
        "test_bytes_behind_the_end_of_a_sealed_segment_are_no_torn_write",
    ),
    Bug(
        "After a crash every log held a file open until it was written to: with very many "
        "partitions no start succeeded any more.",
        "a review",
        "tests/broker/storage/test_opening.py::"
        "test_states_that_a_crash_has_left_are_synced_at_once_and_not_held",
    ),
    Bug(
        "A log that was refused because it was shorter than a clean stop had noted was served by "
        "the next start: the note was gone.",
        "a review",
        "tests/broker/server/test_notes_of_a_clean_stop.py::"
        "test_what_a_clean_stop_noted_of_a_refused_log_is_kept",
    ),
    Bug(
        "While the data directory was read the event loop stood still: no probe and no signal was "
        "answered, a liveness probe killed the broker, and the next start began again.",
        "a review",
        "tests/broker/server/test_server.py::test_the_event_loop_runs_while_the_directory_is_read",
    ),
    Bug(
        "A publish that found no file left to be opened ended the broker: a burst to more "
        "partitions than it may have open files did.",
        "a review",
        "tests/broker/server/test_engine.py::test_a_broker_that_can_open_no_more_files_goes_on",
    ),
    Bug(
        "A clean stop of a broker with more partitions than it may have open files was none: it "
        "opened the files of all of them at once to sync their marks, and ended.",
        "a review",
        "tests/broker/server/test_logs.py::"
        "test_files_that_marks_have_left_closed_are_not_all_opened_at_once",
    ),
    Bug(
        "A payload full of made-up batch headers, in a batch that was damaged or torn later, kept"
        " the start of the broker, `verify` and `repair` busy for hours.",
        "a review",
        "tests/broker/storage/test_scan.py::"
        "test_very_many_headers_made_up_in_a_payload_are_passed_in_one_reading",
    ),
    Bug(
        "One file that the disk could not open or read, even an index, a state or the note of a "
        "clean stop, which can all be done without, kept the whole broker from starting.",
        "a review",
        "tests/broker/server/test_startup.py::"
        "test_a_file_that_the_disk_does_not_give_does_not_keep_the_broker_from_starting",
    ),
    Bug(
        "A segment that retention removed while a reader was about to read it was opened again, "
        "and stayed so until 512 others were: a full disk did not get its bytes back.",
        "a review",
        "tests/broker/storage/test_segment_reader.py::"
        "test_a_removed_file_that_was_read_meanwhile_is_closed",
    ),
    Bug(
        "A seek to a time near now could pass over a record that was published in the very "
        "moment: where the log ends was asked for after the record had been looked for.",
        "a review",
        "tests/broker/storage/test_log.py::"
        "test_what_is_appended_while_a_time_is_looked_up_is_not_passed_over",
    ),
    Bug(
        "A torn end that a nearly full disk had no room to set aside was left there in part, "
        "again and again: what room there had been for all other partitions was gone.",
        "a review",
        "tests/broker/storage/test_torn.py::test_copy_that_fails_takes_no_room",
    ),
    Bug(
        "A start after a repair of the catalog, or with an older copy of it, could have the "
        "number of an earlier one: a new producer got the id of an old one, and its batches were "
        "answered as retries, and lost.",
        "a review",
        "tests/broker/server/test_startup.py::"
        "test_a_producer_id_that_the_catalog_forgot_is_not_given_again",
    ),
    Bug(
        "When the wall clock jumped ahead by a day or more, new producers drove out others at "
        "work: a retry of the first batch of such a one was written twice.",
        "a review",
        "tests/broker/server/handlers/test_publishing.py::"
        "test_a_retry_is_known_though_the_clock_has_jumped_ahead_by_days",
    ),
    Bug(
        "A start that a full disk refused took away what the last clean stop had noted: a log "
        "that was cut short since was served by the next start, shorter.",
        "a review",
        "tests/broker/server/test_notes_of_a_clean_stop.py::"
        "test_what_a_clean_stop_noted_is_kept_when_a_full_disk_refuses_the_start",
    ),
    Bug(
        "Requests that carried the number of a publish without an answer counted its bytes for "
        "ever, or not at all: one client could make memory count as short for all others, or have "
        "it taken without a bound.",
        "a review",
        "tests/broker/server/test_sessions.py::"
        "test_a_request_with_the_number_of_an_open_publish_ends_the_connection",
    ),
    Bug(
        "Of a subscription that the broker ended (its topic was deleted, or its member came back "
        "under another number) the connection kept a little for ever: a client could take any "
        "amount of memory so.",
        "a review",
        "tests/broker/server/test_engine.py::"
        "test_nothing_is_kept_of_subscriptions_that_the_broker_has_ended",
    ),
    Bug(
        "While the disk stood still each retry of a publish searched its place among all answers "
        "that waited: after a reconnect of many producers the event loop stood still for minutes "
        "in all.",
        "a review",
        "tests/broker/server/test_durable_queue.py::"
        "test_retries_of_a_whole_flight_leave_in_order_and_cost_no_more_than_their_number",
    ),
    Bug(
        "A start said nothing of partitions that the catalog had forgotten, in a repair or as an "
        "older copy of it, nor did `verify`: their records were not served, without a word.",
        "a review",
        "tests/broker/server/test_engine.py::test_a_partition_that_the_catalog_forgot_is_told_of",
    ),
    Bug(
        "When a partition that the catalog had forgotten was made again, groups began anew in it: "
        "what they had committed or acked there was delivered again, and groups that had been "
        "deleted came back at the next start.",
        "a review",
        "tests/broker/server/test_engine.py::"
        "test_groups_go_on_where_they_were_in_a_partition_that_the_catalog_forgot",
    ),
    Bug(
        "Who gave up opening a stream or queue with a time to start from stayed a member whom "
        "nobody knew of: its partitions, or leases, were kept from all others as long as the "
        "connection lived.",
        "a review",
        "tests/broker/server/handlers/test_lookups.py::"
        "test_who_leaves_while_the_start_is_looked_up_is_not_there",
    ),
    Bug(
        "When a partition that the catalog had forgotten was made again, nobody asked what its "
        "groups had handled: if its records were gone, it gave their offsets a second time.",
        "a review",
        "tests/broker/server/test_engine.py::"
        "test_a_forgotten_partition_that_is_shorter_than_groups_say_is_not_made_again",
    ),
    Bug(
        "A reader of a group that starts at a time could not come back when old records were "
        "damaged which the group had left behind long ago.",
        "a review",
        "tests/broker/server/handlers/test_lookups.py::"
        "test_a_group_goes_on_though_what_its_start_would_look_at_is_damaged",
    ),
    Bug(
        "Without asyncio, a signal handler that called stop() while its thread was just taking a "
        "message left the queue waiting for ever, or made it raise RuntimeError.",
        "a review",
        "tests/client/sync/test_queue_end.py::"
        "test_a_signal_handler_may_stop_it_whatever_is_being_done",
    ),
    Bug(
        "Leaving `tapemq.testing.Broker` with a crash that had been asked for and had not come "
        "waited for ever; one that had been stopped, or could not start again, hid the error of "
        "the test behind its own.",
        "a review",
        "tests/client/testing/test_broker.py::test_crash_that_did_not_come_keeps_nobody",
    ),
    Bug(
        "A worker whose lifespan failed at its end, with a plain handler still stuck in its "
        "thread, never ended.",
        "a review",
        "tests/client/worker/test_command.py::"
        "test_a_failure_ends_it_though_a_thread_of_a_handler_goes_on",
    ),
    Bug(
        "A queue that was entered a second time handed out nothing, without an error, while it "
        "held leases that no other consumer got meanwhile.",
        "a review",
        "tests/client/queues/test_queue_end.py::test_queue_can_be_entered_again",
    ),
    Bug(
        "Batches that take long to inspect, of connections that were gone, waited in memory "
        "without being counted.",
        "a review",
        "tests/broker/server/handlers/test_publishing.py::"
        "test_what_waits_for_its_inspection_goes_with_its_connection",
    ),
    Bug(
        "A member that subscribed again and again on one connection, or whose topic was deleted, "
        "left a little memory for each partition every time.",
        "a review",
        "tests/broker/server/handlers/test_streams.py::"
        "test_a_member_that_comes_again_and_again_leaves_nothing_behind",
    ),
    Bug(
        "A stop on a full disk failed where it notes that all is on disk: exit code 70, with a "
        "broker that had lost nothing.",
        "a review",
        "tests/broker/server/test_server.py::"
        "test_a_stop_that_a_full_disk_cannot_note_is_no_failure",
    ),
    Bug(
        "A read that found no file left to be opened was told as damage, and ended the "
        "subscription, while hundreds were open that nobody used.",
        "a review",
        "tests/broker/storage/test_segment_cache.py::"
        "test_files_that_nobody_uses_make_room_for_others",
    ),
    Bug(
        "Retention of a partition ended until the next start if it removed a segment in a moment "
        "in which no more files could be opened: the disk filled.",
        "a review",
        "tests/broker/storage/test_remover.py::"
        "test_what_found_no_file_to_be_opened_is_removed_later_in_the_same_order",
    ),
    Bug(
        "One frame that acked very many records with keys, or that had failed before, kept the "
        "event loop for as long as all of them took: 0.2 s for 100,000.",
        "a review",
        "tests/broker/server/handlers/test_settling.py::"
        "test_runs_of_records_that_are_looked_at_one_by_one_take_several_turns",
    ),
    Bug(
        "The end of a connection overtook a large settlement that the client had sent before: "
        "what was acked came again, and counted a crash.",
        "a review",
        "tests/broker/server/handlers/test_settling.py::"
        "test_what_a_client_has_settled_counts_though_it_hangs_up",
    ),
    Bug(
        "A page of a list of schedules was read with all its records: with 65 of the largest "
        "that took a gigabyte, and meanwhile nothing that was due came.",
        "a review",
        "tests/broker/server/handlers/test_schedules.py::test_pages_of_large_records_are_shorter",
    ),
    Bug(
        "While a disk hung, a client that asked on without waiting filled the broker's memory with "
        "requests that waited for it.",
        "a review",
        "tests/broker/server/test_connection.py::"
        "test_who_asks_on_while_the_disk_hangs_is_read_again_when_it_does_not",
    ),
    Bug(
        "A partition that was written to slowly kept its records for as long as they took to fill "
        "a segment, years beyond the age at which they should have gone.",
        "a review",
        "tests/broker/server/test_retention.py::test_records_of_a_slow_topic_go_at_their_age",
    ),
    Bug(
        "Leaving a queue overtook a large settlement that its consumer had sent before: what was "
        "acked came again.",
        "a review",
        "tests/broker/server/handlers/test_settling.py::"
        "test_what_a_client_has_settled_counts_though_it_unsubscribes",
    ),
    Bug(
        "The directory of one log, or of one topic, that the disk does not list (a damaged "
        "inode, lost permissions, a file in its place) kept the whole broker from starting; "
        "`verify` ended there and checked nothing else.",
        "a review",
        "tests/broker/server/test_startup.py::"
        "test_a_directory_that_the_disk_does_not_give_does_not_keep_the_broker_from_starting",
    ),
    Bug(
        "A partition that is cut to a size kept up to 64 MiB more than that, however small the "
        "size is: only whole segments go, and they were as large as any others. Many such topics "
        "filled the disk.",
        "a review",
        "tests/broker/server/test_retention.py::"
        "test_a_partition_is_cut_to_its_size_though_a_segment_could_hold_all_of_it",
    ),
    Bug(
        "A client that wanted a topic, or the first schedule of one, was told of a full disk when "
        "the broker could open no more files; of the schedule its log said nothing, and nowhere "
        "what to do.",
        "a review",
        "tests/broker/server/schedules/test_service.py::"
        "test_what_a_schedule_log_cannot_be_made_for_is_told",
    ),
    Bug(
        "Records that were first published while the broker restarted with a lower "
        "batch_bytes_max were refused as too large, though each was small enough.",
        "a review",
        "tests/client/publishing/test_router.py::"
        "test_batches_are_as_large_as_the_broker_takes_when_the_topic_is_known",
    ),
    Bug(
        "With asyncio, `message.extend()` that was not answered waited for ever.",
        "a review",
        "tests/client/queues/test_desk.py::test_extension_that_is_not_answered_is_told",
    ),
    Bug(
        "One client that sent small requests without waiting for their answers kept the "
        "event loop for 11 s at a time: libuv reads up to 8 MiB of a connection in one "
        "turn, and all requests in them were carried out before anybody else was heard.",
        "a review",
        "tests/broker/server/test_connection.py::"
        "test_a_flood_of_small_requests_leaves_turns_of_the_loop_to_others",
    ),
    Bug(
        "What waited in the broker behind a large batch, a schedule with a key, a large "
        "settlement or a hanging read was counted by its payload or not at all: a client "
        "that sent on took 15 to 45 MB of memory each second, without an end.",
        "a review",
        "tests/broker/server/handlers/test_publishing.py::"
        "test_who_publishes_on_behind_what_is_inspected_is_not_read",
    ),
    Bug(
        "Leases ran out, and counted as failures, while the broker did not read their "
        "session because too many of its requests waited for a disk that hung.",
        "a review",
        "tests/broker/server/test_connection.py::"
        "test_who_is_not_read_while_the_disk_hangs_loses_no_lease",
    ),
    Bug(
        "A request to the HTTP side whose body was no HTTP filled the log with errors of the "
        "broker's and their tracebacks, some 60 lines each; one that asked for a WebSocket had "
        "it advise to install a library.",
        "a review",
        "tests/broker/admin/test_http_connection.py::test_a_bad_request_is_no_error_of_the_broker",
    ),
)
