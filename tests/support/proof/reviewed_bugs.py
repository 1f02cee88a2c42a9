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
        "Dropped records came back at a start after a stream group had got hold, and to queue "
        "groups that were sought to a time before them.",
        "a review",
        "tests/broker/core/test_length.py::"
        "test_what_was_dropped_stays_so_when_a_stream_group_gets_hold_later",
    ),
    Bug(
        "A seek or redrive of very many records was never answered when its topic was deleted "
        "between two of its steps.",
        "a review",
        "tests/broker/core/queue/test_long_seeks.py::"
        "test_a_topic_that_is_deleted_while_a_seek_goes_on_refuses_it",
    ),
    Bug(
        "A redrive of which a step met a seek came back in every turn of the loop, for as long as "
        "a full disk kept the seek from going on.",
        "a review",
        "tests/broker/core/queue/test_dead_letters.py::"
        "test_steps_behind_a_seek_wait_for_the_disk_as_it_does",
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
        "The deletion of a queue group with more than 65,535 dead or failed records ended the "
        "broker.",
        "a review",
        "tests/broker/core/queue/test_groups.py::"
        "test_very_many_entries_are_deleted_in_batches_of_which_each_fits",
    ),
    Bug(
        "Who read a topic with a partition that the catalog had forgotten was not told of the "
        "records in it when it was made again; and damage of it ended the broker.",
        "a review",
        "tests/broker/server/test_engine.py::"
        "test_damage_of_a_partition_that_the_catalog_forgot_refuses_the_change",
    ),
    Bug(
        "A damaged index of schedules that was met while a topic was loaded was emptied and filled "
        "with that topic alone: the schedules of all others never came.",
        "a review",
        "tests/broker/server/schedules/test_index_builder.py::"
        "test_the_first_schedule_of_another_topic_meets_it",
    ),
    Bug(
        "A schedule with an interval of 64 bits was confirmed, and refused when its log was read: "
        "with it all schedules of the topic.",
        "a review",
        "tests/broker/server/schedules/test_commands.py::test_the_largest_numbers_are_read_again",
    ),
    Bug(
        "Replacing a schedule that was firing into a damaged partition waited for ever, and with "
        "it every later request to schedule in that topic.",
        "a review",
        "tests/broker/server/schedules/test_firing.py::"
        "test_what_was_firing_into_a_partition_that_failed_cannot_be_changed",
    ),
    Bug(
        "A schedule whose cancellation had been confirmed fired all the same when more than one "
        "batch was due for its partition at once.",
        "a review",
        "tests/broker/server/schedules/test_firing.py::"
        "test_what_is_cancelled_while_others_of_its_round_fire_does_not",
    ),
    Bug(
        "A firing was abandoned without a word in the log: when one of its schedules was cancelled "
        "after that, the next start refused all schedules of the topic.",
        "a review",
        "tests/broker/server/schedules/test_firing.py::"
        "test_a_firing_that_was_abandoned_is_over_for_the_next_start",
    ),
    Bug(
        "A plain handler of a worker that raised StopIteration kept its slot for ever: its "
        "message was renewed, and neither handled nor retried.",
        "a review",
        "tests/client/worker/test_handler.py::test_an_end_of_iteration_in_a_thread_is_raised",
    ),
    Bug(
        "A cancellation (without asyncio: Ctrl-C) while a queue unsubscribed left it listening: "
        "after the next loss of the connection it took leases that nobody handled, and renewed "
        "them.",
        "a review",
        "tests/client/queues/test_queue_end.py::"
        "test_leaving_that_is_cancelled_leaves_no_consumer_behind",
    ),
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
        "A dead record that lives again, in a group with key lanes, was never handed out "
        "after a restart: the lanes passed over the settled ones around it.",
        "a review",
        "tests/broker/core/queue/test_lanes.py::"
        "test_what_lives_again_among_settled_ones_is_read_after_a_start",
    ),
    Bug(
        "A lane that was made anew while keys of an older one were read was dropped with it; what "
        "settled its record then ended the broker.",
        "a review",
        "tests/broker/core/queue/test_lanes.py::"
        "test_a_lane_that_was_made_anew_while_its_keys_were_read_stays",
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
        "A log that was refused because it was shorter than a clean stop had noted was served by "
        "the next start: the note was gone.",
        "a review",
        "tests/broker/server/test_startup.py::"
        "test_what_a_clean_stop_noted_of_a_refused_log_is_kept",
    ),
    Bug(
        "Connections to the HTTP side that sent nothing stayed for ever: probes were answered 503, "
        "and the broker ended when it could open no more files.",
        "a review",
        "tests/broker/admin/test_http_connection.py::test_a_probe_gets_in_however_many_are_idle",
    ),
    Bug(
        "While the data directory was read the event loop stood still: no probe and no signal was "
        "answered, a liveness probe killed the broker, and the next start began again.",
        "a review",
        "tests/broker/server/test_server.py::test_the_event_loop_runs_while_the_directory_is_read",
    ),
    Bug(
        "When a schedule with a large record had missed many of its times, and all of them were"
        " to come, they were put into one batch: if that was too large, the broker ended, and "
        "so did every start after that.",
        "a review",
        "tests/broker/server/schedules/test_firing.py::"
        "test_missed_times_of_a_large_record_come_in_batches_that_fit",
    ),
    Bug(
        "A topic that was deleted while one of its schedules was looked up to be cancelled "
        "ended the broker.",
        "a review",
        "tests/broker/server/schedules/test_commands.py::"
        "test_a_topic_may_be_deleted_while_one_of_its_schedules_is_looked_up",
    ),
    Bug(
        "A topic that was deleted while its first schedule was made ended the broker, or left "
        "files of it behind that no start could place.",
        "a review",
        "tests/broker/server/schedules/test_service.py::"
        "test_a_topic_may_be_deleted_while_its_schedule_log_is_made",
    ),
    Bug(
        "An error of the disk while the index of schedules was asked what of a schedule log is "
        "still needed ended the broker.",
        "a review",
        "tests/broker/server/schedules/test_compaction.py::"
        "test_an_index_that_cannot_be_read_leaves_the_log_as_it_is",
    ),
    Bug(
        "A cron that never comes was taken if a first time was given. When it was due the years"
        " to come were searched, up to a quarter of a second each: some thousand of them kept "
        "everybody's schedules waiting for minutes.",
        "a review",
        "tests/broker/server/schedules/test_commands.py::"
        "test_a_cron_that_never_comes_is_refused_and_its_first_time_does_not_save_it",
    ),
    Bug(
        "What waits for the index of schedules was bounded for each topic, not for all of them:"
        " while the index was slow, a client that scheduled into many topics could fill the "
        "broker's memory.",
        "a review",
        "tests/broker/server/schedules/test_service.py::"
        "test_topics_share_what_may_wait_for_the_index",
    ),
    Bug(
        "A time zone that could not be read because no more files could be opened counted as "
        "none: when a schedule in it was due that ended the broker.",
        "a review",
        "tests/broker/server/schedules/test_alarm.py::"
        "test_zones_are_there_though_no_more_files_can_be_opened",
    ),
    Bug(
        "Of a recurring schedule that was a few seconds late while the broker was up, only the "
        "last time came: a slow disk lost the others.",
        "a review",
        "tests/broker/server/schedules/test_alarm.py::"
        "test_each_time_comes_though_the_disk_was_slow",
    ),
    Bug(
        "A page of a list of schedules was read with all its records: with 65 of the largest "
        "that took a gigabyte, and meanwhile nothing that was due came.",
        "a review",
        "tests/broker/server/handlers/test_schedules.py::test_pages_of_large_records_are_shorter",
    ),
)
