"""Bugs of schedules that reading the code with other eyes has found."""

from typing import Final

from tests.support.proof.bug import Bug

REVIEWED_SCHEDULES: Final = (
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
        "A crash or a full disk while the index of schedules forgot a topic whose log was damaged"
        " could leave half of it: after a repair, schedules never came, or a firing came twice.",
        "a review",
        "tests/broker/storage/schedules/test_sqlite_index.py::"
        "test_a_topic_is_forgotten_as_a_whole_or_not_at_all",
    ),
    Bug(
        "Schedules of which the catalog had forgotten that they exist, in a repair or as an older "
        "copy of it, were not read by the next start: they never came, without a word.",
        "a review",
        "tests/broker/server/schedules/test_service.py::"
        "test_schedules_that_the_catalog_forgot_fire",
    ),
    Bug(
        "When a schedule with a large record had missed many of its times, and all of them were "
        "to come, they were put into one batch: if that was too large, the broker ended, and so "
        "did every start after that.",
        "a review",
        "tests/broker/server/schedules/test_firing_size.py::"
        "test_missed_times_of_a_large_record_come_in_batches_that_fit",
    ),
    Bug(
        "A topic that was deleted while one of its schedules was looked up to be cancelled ended "
        "the broker.",
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
        "A cron that never comes was taken if a first time was given. When it was due the years "
        "to come were searched, up to a quarter of a second each: some thousand of them kept "
        "everybody's schedules waiting for minutes.",
        "a review",
        "tests/broker/server/schedules/test_commands.py::"
        "test_a_cron_that_never_comes_is_refused_and_its_first_time_does_not_save_it",
    ),
    Bug(
        "What waits for the index of schedules was bounded for each topic, not for all of them: "
        "while the index was slow, a client that scheduled into many topics could fill the "
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
        "A schedule in a time zone that this machine does not have (another machine, other zone "
        "data) ended the broker when it was due, and every start after that.",
        "a review",
        "tests/broker/server/schedules/test_alarm.py::"
        "test_a_zone_that_this_machine_does_not_have_is_its_topics_alone",
    ),
    Bug(
        "Schedules that waited for their turn in a topic, of connections that were gone, stayed "
        "in memory without being counted.",
        "a review",
        "tests/broker/server/schedules/test_commands.py::"
        "test_what_waits_for_its_turn_goes_with_its_connection",
    ),
    Bug(
        "Schedules that were due for a partition that the catalog had forgotten did not come "
        "when it was made again, as long as nothing else was due.",
        "a review",
        "tests/broker/server/schedules/test_firing.py::"
        "test_what_waits_for_a_partition_comes_when_that_is_made_again",
    ),
    Bug(
        "Each retry of a schedule that was not on disk yet made a task that nobody counted: "
        "while a disk hung, one client's retries filled the memory.",
        "a review",
        "tests/broker/server/handlers/test_schedules.py::"
        "test_who_schedules_the_same_again_and_again_is_not_read",
    ),
    Bug(
        "A schedule that was sent again with other times, beyond the one that it was due at, ended "
        "the broker: the answer could not be encoded.",
        "fuzzing of commands",
        "tests/broker/server/schedules/test_commands.py::test_a_retry_with_other_times_is_refused",
    ),
    Bug(
        "What a clean stop noted of a schedule log that was refused was forgotten where the "
        "catalog, an older copy, did not know that log: the next start but one found nothing "
        "wrong with what was left, and schedules that were confirmed were gone.",
        "a review",
        "tests/broker/server/test_notes_of_a_clean_stop.py::"
        "test_what_a_clean_stop_noted_of_schedules_that_the_catalog_forgot_is_kept",
    ),
    Bug(
        "A value of another type in the index of schedules, where a row without a checksum was "
        "damaged, ended the broker, and every start after that.",
        "a review",
        "tests/broker/server/schedules/test_index_builder.py::"
        "test_a_start_meets_what_is_of_another_type",
    ),
    Bug(
        "A turned bit in a name within the index of schedules, of which SQLite's message could not "
        "be read as text, ended the broker, and every start after that.",
        "a review",
        "tests/broker/storage/schedules/test_sqlite_index_damage.py::"
        "test_a_name_in_the_file_that_is_no_text_any_more_is_damage",
    ),
    Bug(
        "Turned bits in the index of schedules that left the types as they were went unnoticed "
        "outside of the schedules themselves: in how far a topic's log was read, what was being "
        "fired, and the order of time. Schedules could come late, never, or a second time.",
        "a review",
        "tests/faults/test_index_flips.py::"
        "test_every_bit_flip_in_the_index_of_schedules_is_noticed_or_harmless",
    ),
    Bug(
        "Where the index of schedules lacked what was being fired, the topic's log was held to be "
        "damaged: its schedules were refused until the broker was started again.",
        "a review",
        "tests/broker/server/schedules/test_index_builder.py::"
        "test_what_is_being_fired_and_not_there_is_the_fault_of_the_index",
    ),
    Bug(
        "A client kept something of each topic that it had ever scheduled a record in: one that "
        "did so in topics that come and go grew for as long as it lived.",
        "a review",
        "tests/client/schedules/test_scheduling.py::"
        "test_who_schedules_in_ever_new_topics_keeps_little",
    ),
    Bug(
        "In a data directory whose name is no UTF-8, the look at the index of schedules ended the "
        "broker after each start.",
        "a third review, on the day it was written",
        "tests/broker/storage/schedules/test_inspection.py::test_a_sound_index_is_found_sound",
    ),
    Bug(
        "In a data directory whose name begins with two slashes, the look at the index of "
        "schedules found it damaged: it was made anew after each start.",
        "a third review, on the day it was written",
        "tests/broker/storage/schedules/test_inspection.py::"
        "test_a_directory_whose_name_begins_with_two_slashes_is_no_host",
    ),
    Bug(
        "A turned bit in the order of time of the index of schedules could name one that was due "
        "twice, and another one not: its record came twice, before the look at the whole index "
        "had found that.",
        "a third review, by turning each bit without that look",
        "tests/broker/server/schedules/test_index_builder.py::"
        "test_nothing_comes_twice_before_the_look_at_the_index_finds_why",
    ),
    Bug(
        "A turned bit in the order of positions of the index of schedules hid the oldest pending "
        "one: compaction removed it from the log, and when the damage was found the index was "
        "made anew without it.",
        "a third review, by turning each bit without that look",
        "tests/broker/server/schedules/test_compaction.py::"
        "test_a_schedule_that_the_order_of_positions_lacks_stays_in_the_log",
    ),
    Bug(
        "A look at the whole index of schedules that could not be taken at a start, with a full "
        "disk or no file left to open, was not taken before the next start: a schedule that was "
        "in the wrong place did not come until then, and nobody was told.",
        "a third review, on the day it was written",
        "tests/broker/server/schedules/test_service.py::"
        "test_a_look_at_the_whole_index_that_the_disk_fails_is_taken_again",
    ),
    Bug(
        "Without asyncio, a signal handler that closed the client while its thread was scheduling "
        "a record waited for that call, which could not go on before: 10 s, for nothing.",
        "a review",
        "tests/client/sync/test_underway.py::"
        "test_what_a_signal_handler_has_interrupted_is_not_waited_for",
    ),
    Bug(
        "Without asyncio, an interrupt that came when a call had begun to schedule a record, or "
        "was about to end, left later calls for that topic waiting for ever, without a timeout.",
        "a review, by thousands of interrupts at random times",
        "tests/client/sync/test_scheduler.py::test_an_interrupt_holds_up_no_later_call",
    ),
    Bug(
        "Without asyncio, the room in the publish window that a call to schedule a record had "
        "asked for, and was interrupted before it waited, was kept for it, and used by nobody.",
        "a review, by thousands of interrupts at random times",
        "tests/client/sync/test_scheduler.py::"
        "test_who_is_interrupted_when_it_has_asked_for_room_is_forgotten",
    ),
    Bug(
        "What a deleted topic had left in the index of schedules, as the broker died before it was "
        "forgotten, was found due for ever, and from 4,096 rows on nothing behind it was: other "
        "topics' confirmed schedules did not come before the next start but one.",
        "the model of schedules",
        "tests/broker/server/schedules/test_alarm.py::"
        "test_what_is_left_of_a_deleted_topic_hides_nothing",
    ),
    Bug(
        "A topic that was deleted while its schedules were being read at a start was logged as "
        "damaged, and who scheduled something there meanwhile was told that storage had failed.",
        "the model of schedules",
        "tests/broker/server/schedules/test_loading.py::"
        "test_a_topic_that_is_being_deleted_is_not_damaged",
    ),
)
