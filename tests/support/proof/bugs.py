"""Bugs that could lose, repeat or reorder records, what found them, and what shows each again."""

from typing import Final

from tests.support.proof.bug import Bug
from tests.support.proof.reviewed_bugs import REVIEWED
from tests.support.proof.reviewed_client_bugs import REVIEWED_CLIENT
from tests.support.proof.reviewed_core_bugs import REVIEWED_CORE
from tests.support.proof.reviewed_proof_bugs import REVIEWED_PROOF
from tests.support.proof.reviewed_publishing_bugs import REVIEWED_PUBLISHING
from tests.support.proof.reviewed_queue_client_bugs import REVIEWED_QUEUE_CLIENT
from tests.support.proof.reviewed_schedule_bugs import REVIEWED_SCHEDULES
from tests.support.proof.reviewed_storage_bugs import REVIEWED_STORAGE

_STORAGE: Final = "tests/broker/storage"
_CORE: Final = "tests/broker/core"

BUGS: Final = (
    Bug(
        "After a failed sync Linux calls the pages clean. Recovery accepted what it read from the "
        "cache; a later power cut made a hole in front of acknowledged records "
        "(docs/adr/0005-failed-syncs.md).",
        "thinking about the page cache, then the simulation: 14 of 60 seeds",
        f"{_STORAGE}/test_failed_syncs.py::"
        "test_records_acknowledged_on_top_of_a_failed_sync_are_kept",
    ),
    Bug(
        "A note of a clean stop came back if a start was killed while it removed it and the power "
        "failed later: every partition was refused.",
        "the simulation's disk, which forgets names that are not synced",
        f"{_STORAGE}/test_clean.py::test_note_that_a_killed_start_has_removed_never_comes_back",
    ),
    Bug(
        "A batch that a full disk refused while a segment rolled stayed in the snapshot of the "
        "deduplication: after a crash its retry was called a duplicate, and was in no log.",
        "review, with a full disk in mind",
        f"{_CORE}/test_producers.py::"
        "test_batch_in_the_snapshot_that_the_disk_refused_is_no_duplicate",
    ),
    Bug(
        "A stream that was cut off with a commit under way took the broker's position for the "
        "answer: commit() returned, and after a crash the records came again.",
        "the simulation",
        "tests/client/streams/test_assignment.py::"
        "test_position_that_the_broker_names_is_not_taken_for_a_commit",
    ),
    Bug(
        "A group's cursor could be beyond what was on disk; after a power cut it passed over the "
        "records that got those offsets, or the log was refused as rotten.",
        "review",
        f"{_CORE}/test_groups.py::test_seek_never_goes_beyond_the_disk",
    ),
    Bug(
        "A retry was put off for an hour where the clock jumped back by one.",
        "the simulation, seed 63",
        "tests/broker/server/test_rising_clock.py::test_a_jump_back_does_not_count",
    ),
    Bug(
        "What a client had said right before it died went unread if the broker was just writing "
        "to it (uvloop drops what it has not handed on): a worker's crash was not counted.",
        "SIGKILLs of consumers under load",
        "tests/broker/server/test_connection.py::test_what_was_said_before_a_write_failed_counts",
    ),
    Bug(
        "Two topics made at the same time stumbled over their common directory: the broker ended.",
        "SIGKILLs of brokers under load",
        f"{_STORAGE}/test_files.py::"
        "test_a_directory_that_another_thread_makes_at_the_same_time_will_do",
    ),
    Bug(
        "A note of a clean stop whose checksum fits and whose fields are no numbers ended the "
        "start with a traceback instead of counting as none.",
        "fuzzing",
        "tests/fuzz/test_fuzz.py::test_what_was_found_stays_found",
    ),
    Bug(
        "An entry of a schedule log with other fields than are known ended the start with a "
        "traceback instead of refusing that topic's schedules.",
        "fuzzing",
        "tests/fuzz/test_fuzz.py::test_what_was_found_stays_found",
    ),
    Bug(
        "Group state, a topic's entry in the catalog, or a state file that was sound by its "
        "checksums and said nonsense ended the start with a traceback instead of refusing what it "
        "belongs to.",
        "fuzzing, with the declared errors taken seriously",
        "tests/broker/server/test_startup.py::"
        "test_groups_that_make_no_sense_are_refused_and_the_others_serve",
    ),
    Bug(
        "A power cut could make a start refuse a whole partition: the mark of an idle log was not "
        "synced, and the segment behind it reached the disk without it.",
        "every crash state of a recorded run",
        "tests/faults/test_crash_prefixes.py::test_every_crash_leaves_what_was_confirmed",
    ),
    Bug(
        "A start without a catalog made a new one, and served no topics with a warning only.",
        "the simulation, damage at rest",
        "tests/broker/server/test_startup.py::test_a_catalog_that_is_gone_is_not_made_anew",
    ),
    Bug(
        "While the disk was full and schedules were due, the scheduler went round without a pause.",
        "the simulation, a full disk",
        "tests/broker/server/schedules/test_alarm.py::"
        "test_while_the_disk_is_full_it_rests_between_rounds",
    ),
    Bug(
        "A producer that only a snapshot remembered, without any batch, was told of a gap where "
        "it is a stranger.",
        "the model-based test of the core",
        f"{_CORE}/test_producers.py::"
        "test_producer_that_only_the_snapshot_knows_is_a_stranger_after_a_start",
    ),
    Bug(
        "Redelivered messages that stood in line in a process counted a crash when the handler "
        "of another one killed it, and died of that.",
        "use by hand",
        "tests/client/queues/test_queue.py::"
        "test_handler_that_kills_its_process_is_the_only_redelivery_that_has_begun",
    ),
    Bug(
        "A raised epoch of a producer whose first batch a full disk refused hid the one before it "
        "from a snapshot: after a crash, a late retry of the old epoch was written twice.",
        "the model-based test of the core, 5,000 examples of 100 steps",
        f"{_CORE}/test_producers.py::test_snapshot_keeps_the_epoch_that_the_log_holds",
    ),
    Bug(
        "A queue group that a crash took from one partition began there at offset 0, and counted "
        "records as ready that retention had removed.",
        "the model-based test of the queue, 5,000 examples of 100 steps",
        "tests/broker/core/queue/test_groups.py::"
        "test_a_group_that_a_crash_took_from_one_partition_begins_with_what_is_left_there",
    ),
    Bug(
        "A retry that was refused for good was told as refused, though the first try was in the "
        "log, or its schedule fired.",
        "the simulation, seeds 22272 and 12 others of 20,000",
        "tests/client/publishing/test_publisher.py::"
        "test_refused_retry_of_what_may_be_in_the_log_is_indeterminate",
    ),
    Bug(
        "A commit that waited returned as if it were done when its partition went to another "
        "member meanwhile.",
        "the simulation, seeds 22124, 25540 and 36445 of 20,000",
        "tests/client/streams/test_committer.py::"
        "test_commit_of_what_went_to_somebody_else_meanwhile_is_no_success",
    ),
    Bug(
        "A schedule for a partition that a power cut took before it was confirmed ended the broker "
        "when it was due.",
        "the simulation, seed 38041 of 20,000",
        "tests/broker/server/schedules/test_firing.py::"
        "test_schedules_wait_for_a_partition_that_a_power_cut_took",
    ),
    Bug(
        "A delay of more than 64 bits of microseconds, or tokens that join to more than a count "
        "holds, sent by one client, ended the broker.",
        "a review with a hostile client",
        "tests/broker/server/handlers/test_queues.py::test_a_delay_beyond_all_times_is_refused",
    ),
    Bug(
        "A sync of a directory that failed while a deleted topic's files were removed did not end "
        "the broker, and a later one could hide that a new topic's name is not on the disk.",
        "the simulation, seed 29599 of 20,000",
        "tests/broker/server/test_engine.py::"
        "test_a_failed_sync_while_files_are_removed_ends_the_broker",
    ),
    Bug(
        "When a segment of a log could not be removed, the next ones were, and the hole had the "
        "partition refused at the next start.",
        "reading, while the failed sync of a directory was mended",
        "tests/broker/storage/test_remover.py::test_nothing_behind_a_file_that_stays_is_removed",
    ),
    Bug(
        "A second start after a full disk had refused a producer's raised epoch forgot what the "
        "epoch before had sent: a late retry was refused as unknown.",
        "the model-based test of the core, 5,000 examples of 100 steps",
        "tests/broker/core/test_producers.py::"
        "test_snapshot_with_an_epoch_that_a_start_forgot_does_not_hide_the_one_that_went_on",
    ),
    Bug(
        "A start brought back records that drop_oldest had dropped, if a group with hold had come "
        "since.",
        "the simulation, seed 60208, when it learned about limits of length",
        "tests/broker/core/test_length.py::"
        "test_what_was_dropped_stays_so_after_a_start_when_a_group_has_come_to_hold_the_rest",
    ),
    Bug(
        "A stream group's commit on a full disk was confirmed when a queue group of the same topic "
        "had got its changes written, though the commit itself was not.",
        "the simulation, seed 40111 of 20,000",
        "tests/broker/server/test_answers_about_state.py::"
        "test_an_answer_waits_for_what_a_full_disk_kept_out_of_another_log",
    ),
    Bug(
        "The answer to a change in several logs, of which a full disk had taken only some, could "
        "wait until its deadline.",
        "the test of the bug before this one",
        "tests/broker/server/test_answers_about_state.py::"
        "test_an_answer_waits_for_what_a_full_disk_kept_out_of_another_log",
    ),
    Bug(
        "Retries waited an hour longer when the wall clock, an hour ahead, was set back before a "
        "start.",
        "the simulation, seed 41417 of 20,000",
        "tests/broker/server/test_engine.py::"
        "test_a_retry_does_not_wait_longer_when_the_clock_was_set_back_before_a_start",
    ),
    Bug(
        "Records of a partition that a power cut had taken from the catalog were written twice "
        "when it was made again: its producers were not known.",
        "the simulation, seed 56599 of 20,000",
        "tests/broker/server/test_engine.py::"
        "test_records_of_a_partition_that_the_catalog_forgot_are_not_written_twice",
    ),
    Bug(
        "One segment that the disk could not read, and whose index was lost, kept the whole broker "
        "from starting.",
        "the simulation, seed 58470 of 20,000",
        "tests/broker/storage/test_opening.py::"
        "test_a_segment_that_cannot_be_read_is_refused_by_its_name",
    ),
    Bug(
        "A batch that had been written over a sealed segment of state, sound by its checksums, was "
        "taken for the segment's end, or for state: in the catalog, topics were gone in silence.",
        "the simulation, seed 75565 of 20,000",
        "tests/broker/storage/test_replay.py::"
        "test_what_does_not_belong_into_a_sealed_segment_refuses_the_log",
    ),
    Bug(
        "New partitions were visible before they were on disk: a power cut took one to which a "
        "producer was sending, and the producer failed.",
        "the simulation, seed 102445",
        "tests/broker/server/test_engine.py::"
        "test_nobody_sees_partitions_that_a_power_cut_could_take",
    ),
    Bug(
        "A client that named a lease before it was sent to it, and extended it, was never given "
        "anything again on that subscription.",
        "the model-based test of queues, 5,000 examples of 100 steps",
        f"{_CORE}/queue/test_queues.py::test_a_lease_that_was_not_sent_yet_cannot_be_extended",
    ),
    *REVIEWED,
    *REVIEWED_STORAGE,
    *REVIEWED_CORE,
    *REVIEWED_CLIENT,
    *REVIEWED_PUBLISHING,
    *REVIEWED_QUEUE_CLIENT,
    *REVIEWED_SCHEDULES,
    *REVIEWED_PROOF,
)
