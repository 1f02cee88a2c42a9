"""Controls of what rests on the disk."""

from typing import Any, Final

from tapemq_broker.storage.torn import SetAside
from tests.support.proof.controls.control import Control, always, nothing

STORAGE = "tapemq_broker.storage"
TESTS = "tests/broker/storage"
SIMULATED = "tests/simulation/test_negative_controls.py"


def _without(position: int, value: object) -> Any:
    """Give a function another argument than its caller does."""
    return lambda good: lambda *given: good(*given[:position], value, *given[position + 1 :])


def _unproven(good: Any) -> Any:
    return lambda findings: good(findings._replace(proven=False))


DURABLE: Final = (
    Control(
        "P1",
        "the disk reports syncs and does nothing",
        f"{SIMULATED}::test_disk_that_does_not_sync",
    ),
    Control(
        "P1",
        "receipts leave before the sync",
        f"{SIMULATED}::test_rule_fires[lost]",
    ),
    Control(
        "P1",
        "names of new files are not synced",
        f"{SIMULATED}::test_names_of_new_files_that_are_not_synced",
    ),
    Control(
        "P1",
        "syncing is off while the power is cut",
        "tests/faults/test_power_cuts.py::test_without_syncing_the_same_cuts_show_loss",
    ),
    Control(
        "P1",
        "a new segment's directory is not synced",
        f"{TESTS}/test_files.py::test_first_sync_of_a_new_file_syncs_its_directory_behind_it",
        ((f"{STORAGE}.files:_sync_names", nothing),),
    ),
    Control(
        "P1",
        "recovery believes the page cache after a failed sync",
        f"{TESTS}/test_failed_syncs.py::test_records_acknowledged_on_top_of_a_failed_sync_are_kept",
        ((f"{STORAGE}.recovery:rewrite", always(0)), (f"{STORAGE}.recovery:check_again", nothing)),
    ),
    Control(
        "P2",
        "recovery leaves a torn tail where it is and appends behind it",
        "tests/faults/test_file_damage.py::test_newest_segment_cut_at_every_byte",
        ((f"{STORAGE}.recovery:_Recovery._cut_off", always(SetAside("", 0))),),
    ),
    Control(
        "P3",
        "a failed sync counts as one that succeeded",
        f"{TESTS}/test_flusher.py::test_a_failed_sync_is_fatal_and_nobody_is_told",
        ((f"{STORAGE}.flusher:Flusher._end_round", _without(1, None)),),
    ),
    Control(
        "P3",
        "any failed write is taken for a full disk, and service goes on",
        f"{TESTS}/test_log.py::test_any_other_failure_ends_the_log",
        ((f"{STORAGE}.segment:_FULL", lambda _: range(200)),),
    ),
)

SOUND: Final = (
    Control(
        "P7",
        "a group's position does not count as evidence that there was more",
        "tests/faults/test_file_damage.py::test_newest_segment_deleted_though_a_group_was_in_it",
        ((f"{STORAGE}.recovery:Claims", _without(1, 0)),),
    ),
    Control(
        "P15",
        "the bodies of batches are not checked: half a batch is taken for a whole one",
        f"{TESTS}/test_recovery.py::test_case_is_decided_as_written_down",
        (("tapemq.batch:Header.check_body", nothing),),
    ),
    Control(
        "P17",
        "the bodies of batches are not checked when they are read",
        "tests/faults/test_bit_flips.py::test_every_bit_flip_is_noticed_or_harmless",
        (("tapemq.batch:Header.check_body", nothing),),
    ),
    Control(
        "P17",
        "the chain of batches is not followed",
        "tests/faults/test_file_damage.py::test_segments_in_each_others_place",
        ((f"{STORAGE}.chain:LogEnd.check", nothing),),
    ),
    Control(
        "P18",
        "rot is taken for a torn tail",
        "tests/faults/test_file_damage.py::test_older_segments_cut_around_every_batch",
        ((f"{STORAGE}.diagnosis:decide", _unproven),),
    ),
    Control(
        "P18",
        "what is cut off is not kept aside",
        f"{TESTS}/test_recovery.py::test_cut_raises_the_epoch_and_keeps_the_bytes_aside",
        ((f"{STORAGE}.recovery:copy_aside", always(SetAside("", 0))),),
    ),
)

KEPT: Final = (
    Control(
        "P19",
        "a batch that a full disk took a part of is left in the log",
        f"{TESTS}/test_log.py::test_a_full_disk_changes_nothing_and_can_be_tried_again",
        ((f"{STORAGE}.memory_disk:MemoryFile.truncate", nothing),),
    ),
    Control(
        "P21",
        "the wall clock alone says how old a segment is",
        f"{TESTS}/test_retention.py::test_a_clock_that_jumps_ahead_deletes_nothing",
        ((f"{STORAGE}.retention:min", lambda _: lambda now_us, _: now_us),),
    ),
    Control(
        "P23",
        "a clean stop leaves no note",
        "tests/broker/server/test_server.py::"
        "test_records_and_the_brokers_id_survive_a_clean_restart",
        (("tapemq_broker.server.server:write_clean", nothing),),
    ),
    Control(
        "P24",
        "the format of batches changes, and its version does not",
        "tests/golden/test_data_directory.py::test_everything_is_read_back",
        (("tapemq.batch.header:MAGIC", lambda good: good[::-1]),),
    ),
    Control(
        "P24",
        "a directory of a newer version is opened",
        f"{TESTS}/test_directory.py::test_newer_format_is_refused_untouched",
        ((f"{STORAGE}.directory:FORMAT_VERSION", lambda good: good + 1),),
    ),
)
