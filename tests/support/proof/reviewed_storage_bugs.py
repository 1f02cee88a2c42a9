"""Bugs of storage and recovery that were found by reading the code with somebody else's eyes."""

from typing import Final

from tests.support.proof.bug import Bug

REVIEWED_STORAGE: Final = (
    Bug(
        "A repair of a log with damage in front of sound batches, of which the end was gone, "
        "too, went on at the last batch that was left: offsets that a clean stop, an index or an "
        "interrupted repair knew of were given out a second time.",
        "a review",
        "tests/broker/storage/test_repair.py::"
        "test_offsets_are_not_given_again_that_are_gone_behind_the_damage",
    ),
    Bug(
        "What the disk could not read behind damage in the same segment counted as damaged, too: "
        "a repair gave it up, although it might have been read the next time.",
        "a review",
        "tests/broker/storage/test_repair.py::"
        "test_what_cannot_be_read_behind_damage_is_not_given_up",
    ),
    Bug(
        "A broker that was stopped while a topic was being deleted could end with 70 if it had "
        "more than 64 partitions at rest: it went on to sync logs whose files had just been "
        "removed.",
        "a review",
        "tests/broker/server/test_logs.py::"
        "test_logs_that_go_with_their_topic_while_others_are_synced_are_left_alone",
    ),
    Bug(
        "A start that failed because no more files could be opened, because a note beside the "
        "catalog could not be written, or because the catalog was damaged took away what the "
        "last clean stop had noted: a log that was cut short since was served by the next start, "
        "shorter.",
        "a review",
        "tests/broker/server/test_notes_of_a_clean_stop.py::"
        "test_what_a_clean_stop_noted_is_kept_when_the_disk_fails_the_start",
    ),
    Bug(
        "A full disk on which a segment behind a torn end could not be written again before it "
        "was set aside kept the whole broker from starting, and not that one partition.",
        "a review",
        "tests/broker/storage/test_recovery.py::test_full_disk_moves_no_segment_aside",
    ),
    Bug(
        "The indexes that a start had to make anew, of all segments of a log after its repair, "
        "stayed open until the log was written to, two descriptors for each: in one of a few "
        "hundred segments nothing could be published any more, there or elsewhere.",
        "a review",
        "tests/broker/storage/test_opening.py::"
        "test_indexes_made_anew_at_opening_are_synced_at_once_and_not_held",
    ),
    Bug(
        "A log that came to rest behind a full segment kept the segment's index and state open, "
        "and their directory twice, until it was written to: a few hundred such logs left no "
        "file for others to be opened.",
        "a review",
        "tests/broker/storage/test_sealing.py::test_logs_at_rest_hold_no_cache_open",
    ),
    Bug(
        "What retention let go of in a moment in which no more files could be opened was only "
        "removed when there was something else to remove: on a full disk nothing was published, "
        "so there never was, and the disk stayed full.",
        "a review",
        "tests/broker/server/test_timers.py::"
        "test_what_found_no_file_to_be_opened_is_removed_though_nothing_else_is",
    ),
    Bug(
        "A note that a full disk did not take, as that of a stop, was left there in part: what "
        "room there had been was gone, and the next start was refused for want of it.",
        "a review",
        "tests/broker/storage/test_clean.py::"
        "test_a_note_that_a_full_disk_does_not_take_is_not_left_in_part",
    ),
    Bug(
        "Groups that a version could not make sense of were refused by the start after that as "
        "changed since the clean stop, by the version that wrote them, too: opening their log "
        "had removed what a snapshot had made old.",
        "a review",
        "tests/broker/storage/test_state_log.py::"
        "test_opening_it_changes_nothing_that_a_clean_stop_noted",
    ),
    Bug(
        "A start that could open no more files in the moment in which it looked at an index, or "
        "behind a bad place, took that for a missing proof, and cut durable batches off behind "
        "damage, or for rot of a log whose end was only torn.",
        "a review",
        "tests/broker/storage/test_diagnosis.py::"
        "test_no_file_left_to_be_opened_says_nothing_of_a_log",
    ),
    Bug(
        "A batch whose sequences would end beyond 64 bits, which no client sends but a damaged log "
        "may hold, was taken at a start, and ended the broker when its segment was full.",
        "fuzzing of the producers of a log",
        "tests/broker/core/test_producers.py::test_the_last_sequence_may_wrap_around",
    ),
    Bug(
        "A log at rest of which a segment ended by its age, for the sake of retention, kept the "
        "segment's index and state open, and their directory twice, until it was written to: a "
        "few hundred such logs left no file for others to be opened.",
        "a review",
        "tests/broker/storage/test_sealing.py::"
        "test_a_segment_that_ended_by_age_while_its_log_rests_holds_no_cache_open",
    ),
    Bug(
        "Where the last segment of a log had ended by its age, and nothing had come since, the "
        "next start read all of it, up to 64 MiB of each such log, also after a clean stop; and "
        "damage in the midst of it refused the whole partition.",
        "a review",
        "tests/broker/storage/test_survey.py::"
        "test_a_stop_in_an_empty_segment_proves_the_ones_before_it",
    ),
    Bug(
        "A start that could open no more files in the moment in which it looked for the state of "
        "a log went on without: where retention had removed what it was of, producers were "
        "forgotten, and a retry of theirs was written twice or refused.",
        "a review",
        "tests/broker/storage/test_replay.py::"
        "test_no_file_left_to_be_opened_does_not_say_that_there_is_no_state",
    ),
    Bug(
        "A start that could open no more files in the moment in which it looked at the number of "
        "the last start believed the catalog alone, though that was an older copy: ids of "
        "producers and leases were given twice.",
        "a review",
        "tests/broker/storage/test_boot_epoch.py::"
        "test_no_file_left_to_be_opened_is_not_taken_for_a_damaged_file",
    ),
    Bug(
        "Topics whose deletion had been confirmed, and whose files were not removed yet when the "
        "broker ended, cleanly or not, stayed on the disk for ever, and `verify` called that "
        "damage; with some hundred of them it took many seconds until all were removed.",
        "a review",
        "tests/broker/server/test_removals.py::"
        "test_what_a_crash_has_left_of_deleted_topics_goes_at_the_next_start",
    ),
    Bug(
        "The deletion of some hundred topics kept all that needs a thread waiting until their "
        "files were removed: leases of records on disk, large batches, schedules, new topics.",
        "a review",
        "tests/broker/server/test_removals.py::"
        "test_very_many_deleted_topics_leave_threads_to_others",
    ),
    Bug(
        "So did making some topics of very many partitions at once: 24 of 128 partitions each "
        "kept a queue that reads from the disk waiting for as long as that took.",
        "a review",
        "tests/broker/server/test_making_topics.py::"
        "test_topics_that_are_being_made_leave_threads_to_others",
    ),
    Bug(
        "Where a log rested just after a segment was full, retention could remove that before the "
        "state that follows it was on disk: a power cut then forgot the producers of what was "
        "removed, and a retry of theirs was written twice, or refused.",
        "a review",
        "tests/broker/storage/test_side_files.py::"
        "test_no_segment_goes_before_the_state_of_what_is_in_it_is_on_disk",
    ),
    Bug(
        "Where a full disk did not take the state of the producers when a segment was full, "
        "retention removed that segment all the same: the next start after a crash knew nothing "
        "of those producers.",
        "a review",
        "tests/broker/storage/test_side_files.py::"
        "test_no_segment_goes_while_there_is_no_room_for_the_state",
    ),
    Bug(
        "So it did where that file was damaged: no start wrote it anew, though it had just made "
        "it out of the log once more.",
        "a review",
        "tests/broker/storage/test_side_files.py::"
        "test_a_damaged_state_is_written_anew_at_the_next_start",
    ),
    Bug(
        "A crash just between the removal of an old segment's small files and that of the segment "
        "itself made the next start forget the producers of all that had been removed before, "
        "and write that over the state that knew them.",
        "a model of the log that counts what was ever in it",
        "tests/broker/storage/test_side_files.py::"
        "test_a_crash_amid_the_removal_of_a_segment_forgets_nothing",
    ),
    Bug(
        "A clean stop left the state that follows a full segment to the system, and the next "
        "start took it for synced: retention and a power cut forgot producers.",
        "a model of the log that counts what was ever in it",
        "tests/broker/storage/test_side_files.py::test_a_clean_stop_brings_the_state_to_the_disk",
    ),
    Bug(
        "A thousand kills counted as a test of receipts that wait for no sync, and none was asked "
        "for; power cuts never looked for them. Kills and pauses counted as tests of exclusive "
        "leases and of delivery to each group, and passed though the acks of two leases of a "
        "record were confirmed, or a stream group never got it.",
        "a review",
        "tests/faults/test_history.py::test_each_wrong_is_named",
    ),
    Bug(
        "Damage in a deleted topic whose files were still to be removed made `verify` exit "
        "with 4, and advise to repair what the next start removes.",
        "a review",
        "tests/broker/storage/test_verify.py::"
        "test_what_is_wrong_with_a_deleted_topic_is_no_matter_unless_the_catalog_is_damaged",
    ),
    Bug(
        "A repair gave up the last records, and left the mark behind them. Who had read "
        "everything before asked to read up to the end of the hole: that was taken for a wish "
        "that ends inside a batch, and ended the broker, at every start, until more was "
        "published.",
        "a model of repairs",
        "tests/broker/storage/test_reading.py::"
        "test_a_hole_at_the_end_is_read_up_to_its_end_whatever_marks_follow_it",
    ),
    Bug(
        "A log that ends with a gap was refused as changed since the clean stop: the note "
        "names the checksum that the next batch will name, and that is not the one of the "
        "gap's header. Where a segment in the middle ended so, each start read all that was "
        "behind it.",
        "a model of repairs",
        "tests/broker/storage/test_repair.py::"
        "test_a_log_that_ends_with_a_gap_opens_after_a_clean_stop",
    ),
    Bug(
        "A repair of a log of whose oldest segment nothing was left ended with an IndexError: "
        "the log could not be used again.",
        "a model of repairs",
        "tests/broker/storage/test_repair_plan.py::"
        "test_oldest_segment_of_which_nothing_is_left_is_a_gap",
    ),
    Bug(
        "A log that had lost only the mark that it began with was refused, and no repair "
        "helped: nothing was missing in front of its first sound batch, it found.",
        "a model of repairs",
        "tests/broker/storage/test_repair_plan.py::"
        "test_a_log_of_which_the_first_mark_is_gone_begins_with_a_gap",
    ),
    Bug(
        "Where a segment held a copy of a later one, salvage took all in between for older "
        "copies, and gave it up.",
        "a model of repairs",
        "tests/broker/storage/test_stretches.py::test_a_copy_of_a_later_segment_costs_no_other",
    ),
    Bug(
        "Where the oldest segment held bytes of another log, salvage compared all others with "
        "those, and gave them up.",
        "a model of repairs",
        "tests/broker/storage/test_stretches.py::"
        "test_an_oldest_segment_of_another_log_says_nothing_of_this_one",
    ),
    Bug(
        "An oldest segment without its beginning was read as damaged, and verify and repair "
        "found nothing wrong.",
        "a model of repairs",
        "tests/broker/storage/test_repair_plan.py::"
        "test_an_oldest_segment_under_a_wrong_name_begins_with_a_gap",
    ),
    Bug(
        "Salvage kept the sound parts of a snapshot of which one was damaged, and nobody took "
        "them: all groups in them were forgotten, though no hole named them.",
        "a model of repairs",
        "tests/broker/storage/test_state_log.py::"
        "test_a_repair_costs_no_entry_of_the_parts_of_a_snapshot_that_are_left",
    ),
    Bug(
        "With a named pipe in the place of a segment, a state or any other file of the data "
        "directory, a start or `verify` waited for ever; a device was read without an end.",
        "a review",
        "tests/broker/storage/test_strange_files.py::test_what_is_no_file_is_not_opened",
    ),
    Bug(
        "Behind a repair that had lost the last part of a snapshot of state, no state file was "
        "written until the next snapshot: each start added up all of the log, and nothing of it "
        "went.",
        "a review",
        "tests/broker/storage/test_state_log.py::"
        "test_states_are_written_behind_a_repair_that_lost_the_end_of_a_snapshot",
    ),
    Bug(
        "The journal of the index of schedules never got shorter while the broker ran: where a "
        "topic with a million schedules was deleted, it stayed as large as the index, beside "
        "that.",
        "a review",
        "tests/broker/storage/schedules/test_sqlite_index.py::"
        "test_a_journal_that_much_was_done_at_once_in_gets_shorter_again",
    ),
    Bug(
        "A start behind a clean stop looked at the state that the stop had left, which is of use "
        "once, and took an older one for sound that nobody had looked at: where that was damaged, "
        "retention and a crash forgot producers.",
        "a review",
        "tests/broker/storage/test_side_files.py::"
        "test_a_damaged_state_counts_for_nothing_though_a_clean_stop_left_a_later_one",
    ),
    Bug(
        "A start that was killed had removed the note of the clean stop before it: the next one "
        "found nothing wrong with a log that had been cut short since, and gave offsets twice.",
        "a review",
        "tests/broker/server/test_notes_of_a_clean_stop.py::"
        "test_what_a_clean_stop_noted_is_kept_when_the_start_is_killed",
    ),
    Bug(
        "Where recovery had set a whole segment aside, and a state was kept where that began, the "
        "log was refused as unreadable, until the start after this one.",
        "test_repair_model.py, seed 1659",
        "tests/broker/storage/test_replay.py::"
        "test_a_state_where_a_segment_was_set_aside_begins_nowhere",
    ),
    Bug(
        "Damage right behind a mark ended a broker that read it for a queue group, and after each "
        "start again: the read brought nothing instead of an error.",
        "the simulation, seed 31, when it took no end of a broker for granted",
        "tests/broker/storage/test_reading.py::"
        "test_damage_right_behind_a_mark_is_told_and_not_a_chunk_of_nothing",
    ),
)
