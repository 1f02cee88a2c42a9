"""Bugs of the core and the server that reading the code with other eyes has found."""

from typing import Final

from tests.support.proof.bug import Bug

REVIEWED_CORE: Final = (
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
        "The deletion of a queue group with more than 65,535 dead or failed records ended the "
        "broker.",
        "a review",
        "tests/broker/core/queue/test_groups.py::"
        "test_very_many_entries_are_deleted_in_batches_of_which_each_fits",
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
        "A group that was deleted and made anew within one round of syncs, as the other kind, had"
        " a partition's groups refused for good when the power failed between two logs; of the "
        "same kind, it passed over records.",
        "a review",
        "tests/broker/core/test_groups.py::"
        "test_a_name_is_free_when_no_crash_can_bring_its_group_back",
    ),
    Bug(
        "Batches of few records with very many headers were checked on the event loop, which "
        "stood still for 80 ms with each, and longer with larger ones: clients that sent them "
        "kept all others waiting.",
        "a review",
        "tests/broker/core/test_inspection.py::test_few_records_with_very_many_headers_are_heavy",
    ),
    Bug(
        "Records that had failed with a long delay, and were then sought past, dropped or "
        "deleted, stayed in memory until that delay was over: it may be years.",
        "a review",
        "tests/broker/core/queue/test_retries.py::"
        "test_what_is_of_no_use_any_more_is_not_kept_for_years",
    ),
    Bug(
        "One frame of Started that named a lease of many runs 4,096 times kept the event loop "
        "for most of a second, and one of Settle for a fifth in each of its turns.",
        "a review",
        "tests/broker/core/queue/test_lease.py::test_a_mention_of_a_lease_looks_at_few_of_its_runs",
    ),
    Bug(
        "A crash amid the writing of very many rejections left records dead and unsettled: they "
        "were handed out, and those that were redriven meanwhile to two consumers at once.",
        "a review",
        "tests/broker/core/queue/test_ledger.py::"
        "test_what_a_crash_left_dead_is_settled_and_lives_again_once",
    ),
    Bug(
        "A long list of retry delays was read anew for each record that failed: a nack of 1,000 "
        "kept the event loop for half a second.",
        "a review",
        "tests/broker/core/queue/test_policy.py::"
        "test_a_list_of_delays_is_not_read_anew_for_each_record",
    ),
    Bug(
        "When a group's `lease_ms` was made shorter, leases that were out were taken from "
        "consumers that extended them as they had been told: their records were handed out "
        "twice, and counted crashes.",
        "a review",
        "tests/broker/core/queue/test_queues.py::"
        "test_a_lease_keeps_its_time_when_that_of_the_group_is_made_shorter",
    ),
    Bug(
        "With 10,000 queue groups on a topic, each round of syncs kept the event loop for 60 ms, "
        "while all of them were told that there is more.",
        "a review",
        "tests/broker/core/queue/test_queues.py::"
        "test_very_many_groups_are_told_some_at_a_time_that_there_is_more",
    ),
    Bug(
        "While drop_oldest took records from a queue group without hold, each round of syncs "
        "looked at all that the group knew: 140 ms of the event loop for 150,000 keys of lanes.",
        "a review",
        "tests/broker/core/queue/test_lanes.py::"
        "test_what_is_gone_is_found_without_looking_at_what_is_left",
    ),
    Bug(
        "When a partition that the catalog had forgotten was made again, a stream group to "
        "which hold was given meanwhile did not hold there: retention took records that it had "
        "not read. One that had let go of it held there for ever.",
        "a review",
        "tests/broker/core/test_regaining.py::"
        "test_a_group_that_was_told_to_hold_or_not_does_so_there_too",
    ),
    Bug(
        "Dropped records of a partition that the catalog had forgotten came back when it was "
        "made again: to readers, and to groups that were new there.",
        "a review",
        "tests/broker/core/test_regaining.py::test_what_was_dropped_there_stays_so",
    ),
    Bug(
        "A dead record that had been redriven and was not handled yet was forgotten, neither "
        "dead nor handed out, when a repair had cut the log behind it to before the group's "
        "floor.",
        "a review",
        "tests/broker/core/queue/test_ledger.py::"
        "test_what_lives_again_does_so_though_a_repaired_log_ends_earlier",
    ),
    Bug(
        "Who looked a time up in a topic that was deleted meanwhile was told that the "
        "storage had failed, and reads of its files counted as damage found on disk.",
        "a review",
        "tests/broker/server/handlers/test_lookups.py::"
        "test_who_looks_a_topic_up_that_is_deleted_meanwhile_hears_so",
    ),
    Bug(
        "With key lanes, a record whose key could not be read for a moment was handed out as one "
        "without a key, beside others of its key.",
        "simulation, seeds 841053 and 2087",
        "tests/broker/server/test_key_reads.py::"
        "test_what_cannot_be_read_is_not_taken_for_records_without_keys",
    ),
    Bug(
        "Where the process could open no more files for a moment, queue groups handed out nothing "
        "more of a partition until the next start, and streams ended.",
        "a review",
        "tests/broker/server/test_leases.py::"
        "test_a_lease_for_which_no_file_can_be_opened_is_read_again",
    ),
    Bug(
        "Requests for topics that were being made were counted nowhere: where a disk hung at "
        "that, clients that went on asking filled the memory.",
        "a review",
        "tests/broker/core/test_topics.py::test_no_more_requests_wait_for_topics_than_fit",
    ),
    Bug(
        "Requests that wait for the disk were bounded for each connection alone, and those of "
        "one that had gone counted no more: clients that came, asked and went filled the "
        "memory while a disk hung.",
        "a review",
        "tests/broker/server/test_sessions.py::"
        "test_clients_that_come_ask_and_go_do_not_fill_the_memory",
    ),
    Bug(
        "All readers of the simulation ended before its last look, and what it removed or leased "
        "was never in need of a look by somebody who waits: it passed a broker that tells readers "
        "of more now and then, forgets slow ones, never removes anything, forgets producers with "
        "what it removes, lets leases end early, takes stale commits and acks, takes partitions "
        "from members at once, or does not count crashes.",
        "a review",
        "tests/simulation/test_negative_controls.py::test_rule_fires_in_other_ways",
    ),
    Bug(
        "Requests for a topic that was being made, that of its maker too, heeded no deadline: "
        "where a disk hung they were never answered.",
        "a review",
        "tests/broker/server/test_making_topics.py::"
        "test_who_waits_for_a_topic_that_is_made_is_told_at_the_deadline",
    ),
    Bug(
        "What came to the HTTP port and was no HTTP (a client of the broker, TLS) was logged in "
        "the words of a library, without who sent it, or what to do.",
        "a review",
        "tests/broker/admin/test_http_connection.py::test_a_bad_request_is_no_error_of_the_broker",
    ),
    Bug(
        "Look-ups by time, and looks at schedules, were bounded for each connection alone: clients "
        "that came, asked and went filled the memory while reads hung.",
        "a review",
        "tests/broker/server/handlers/test_lookups.py::"
        "test_look_ups_of_clients_that_come_ask_and_go_do_not_fill_the_memory",
    ),
    Bug(
        "Who began to read at a time while the broker could open no more files, or described a "
        "queue then, was told for good that the log was damaged.",
        "a review",
        "tests/broker/server/handlers/test_lookups.py::"
        "test_who_looks_up_while_no_file_can_be_opened_may_try_again",
    ),
    Bug(
        "With each removal of records all queue groups were told in one turn of the event loop: "
        "10,000 without hold that were behind kept it for 0.3 s, with drop_oldest for each "
        "publish.",
        "a review",
        "tests/broker/core/queue/test_groups.py::"
        "test_very_many_groups_are_told_some_at_a_time_what_is_gone",
    ),
    Bug(
        "Each look at retention asked all groups of a topic, for each partition, what they "
        "hold, also where there was nothing to be removed: 10,000 groups on 100 partitions kept "
        "the event loop for 0.3 s and more.",
        "a review",
        "tests/broker/server/test_retention.py::"
        "test_groups_are_asked_only_where_something_is_to_be_removed",
    ),
    Bug(
        "Who sent the HTTP side something else behind a request that had been answered was cut off "
        "without a word.",
        "a review",
        "tests/broker/admin/test_http_connection.py::"
        "test_who_sends_nonsense_behind_a_request_that_was_answered_is_told_so",
    ),
    Bug(
        "Damage that stopped a queue group with key lanes where it reads keys was not among the "
        "reads that found damage, as the metric counts them.",
        "a review",
        "tests/broker/server/test_key_reads.py::"
        "test_what_cannot_be_read_is_not_taken_for_records_without_keys",
    ),
    Bug(
        "A crash in the middle of a group's deletion left it on some partitions of its topic; on "
        "the others it began anew, and got again what it had confirmed.",
        "the model of the core",
        "tests/broker/core/test_leaving.py::"
        "test_a_crash_leaves_a_group_on_all_partitions_or_on_none",
    ),
    Bug(
        "While too many requests of all clients waited for the disk, the Release of a partition "
        "was refused, too: the member that it was for waited until it was taken away.",
        "a review",
        "tests/broker/server/test_sessions.py::test_members_hand_over_while_too_many_requests_wait",
    ),
    Bug(
        "A connection took 256 KiB for the first 4 KiB of a frame, before its handshake, too: ten "
        "thousand clients that sent no more took gigabytes.",
        "a review of the tests of overload",
        "tests/client/wire/test_frames.py::test_room_is_about_twice_what_has_come_of_a_frame",
    ),
    Bug(
        "A frame of which only a part came took twice what was counted for it.",
        "a review of the tests of overload",
        "tests/broker/server/test_received_memory.py::"
        "test_of_a_part_of_a_frame_its_whole_buffer_counts",
    ),
    Bug(
        "Every connection kept the buffer of its last large frame until it had been idle for a "
        "heartbeat, and nobody counted that: a few hundred producers of large batches took more "
        "than a gigabyte.",
        "a review of the tests of overload",
        "tests/broker/server/test_received_memory.py::"
        "test_buffers_of_large_frames_are_kept_by_few_connections_only",
    ),
    Bug(
        "The tests of overload passed a broker that does not refuse giant frames (its heartbeat "
        "closed the connection), never sent a decoder most of their bombs, because those were "
        "too long to be read, and saw no memory that whole or half frames take.",
        "a review of the tests of overload",
        "tests/overload/test_overload.py::test_an_offender_is_bounded_and_the_healthy_go_on",
    ),
    Bug(
        "An answer that could not be encoded, because of a defect elsewhere, ended the broker and "
        "not only the connection that it was for.",
        "a review",
        "tests/broker/server/test_connection.py::"
        "test_an_answer_that_cannot_be_encoded_ends_one_connection_only",
    ),
    Bug(
        "Parts of frames up to 64 KiB were not counted for `publish_memory_bytes`, nor the room of "
        "up to 256 KiB for many small ones, of each connection.",
        "a review",
        "tests/broker/server/test_received_memory.py::test_parts_of_small_frames_count_together",
    ),
    Bug(
        "With a limit of bytes, each publish measured the backlog of each group with `hold`: 5 ms "
        "of the event loop with a thousand groups, 45 with ten thousand.",
        "a review, by measuring",
        "tests/broker/core/test_length.py::"
        "test_of_many_groups_with_room_only_who_has_most_before_it_is_measured",
    ),
    Bug(
        "A header of thousands of empty maps, which were made one by one, held everybody up for up "
        "to 38 ms.",
        "the long form of tests/overload, decoder bombs",
        "tests/client/wire/test_fields.py::test_more_maps_or_values_than_a_header_may_have",
    ),
    Bug(
        "Five thousand connections whose handshakes did not come to their end were all kept until "
        "their deadlines, for 37 MiB where 32 are allowed, on a slow machine.",
        "the long form of tests/overload, slowloris",
        "tests/broker/server/test_handshakes.py::test_the_oldest_is_given_up_and_hears_why",
    ),
    Bug(
        "What came in the turn of the loop behind the last batch that had waited for its turn at "
        "the disk was published twice, or dropped unanswered: two tasks carried it out.",
        "a review",
        "tests/broker/server/handlers/test_publishing.py::"
        "test_what_comes_when_the_last_has_waited_is_published_once",
    ),
    Bug(
        "Clients that did not read held up to six times as much memory as was counted for them: a "
        "transport names what is unsent, and keeps what it has sent in part.",
        "overload, on a machine that was busy with other tests",
        "tests/broker/server/test_connection.py::"
        "test_a_payload_of_which_little_is_unsent_counts_whole",
    ),
    Bug(
        "A publish that waited for its turn at the disk, or for its inspection, was not answered "
        "at its deadline, and was appended later all the same.",
        "a review",
        "tests/broker/server/handlers/test_held_deadlines.py::"
        "test_what_waits_for_its_turn_is_answered_at_its_deadline_and_not_published",
    ),
    Bug(
        "Of clients that do not read, those were cut that had been slow first, however fast they "
        "had read since.",
        "a review, hours after it was written",
        "tests/broker/server/test_outbound_memory.py::"
        "test_a_fast_reader_that_always_has_as_much_to_read_is_not_cut",
    ),
    Bug(
        "A client that read slowly, and was the first to be counted, was cut for memory that "
        "others had held and long read: who is hardly slow says nothing when it has read, and "
        "counted on.",
        "a second review, hours after it was written",
        "tests/broker/server/test_outbound_memory.py::"
        "test_nobody_is_cut_for_what_others_have_read_meanwhile",
    ),
    Bug(
        "On a Python that takes the parts of a frame one by one, a connection that was found to "
        "be slow in the midst of a frame counted what came before as sent.",
        "a second review, hours after it was written",
        "tests/broker/server/test_unsent.py::"
        "test_a_client_found_to_be_slow_in_the_midst_of_a_frame_counts_whole",
    ),
    Bug(
        "Reads of queue groups that had to wait for the disk took the threads that look into "
        "large batches and make topics, and what they read filled the memory while the event loop "
        "was busy.",
        "a second review, hours after it was written",
        "tests/broker/server/test_disk_reads.py::"
        "test_slow_reads_of_leases_keep_nothing_else_from_a_thread",
    ),
    Bug(
        "Who subscribed, left and came again kept the disk busy for the others: reads that nobody "
        "wanted any more stood in line, and were carried out.",
        "a second review, hours after it was written",
        "tests/broker/server/test_deliveries.py::"
        "test_who_leaves_while_others_are_read_for_is_not_read_for",
    ),
    Bug(
        "Where a limit left a broker that ran no more threads, the first sync, read or large "
        "batch that wanted one ended it; at a start it ended with a traceback, and what a clean "
        "stop had noted was forgotten.",
        "a second review, of what a limit on threads does",
        "tests/broker/server/test_world.py::"
        "test_a_broker_that_runs_goes_on_where_no_more_threads_can_be_started",
    ),
    Bug(
        "While a hundred clients sent a megabyte each at once, nobody else was heard for 100 to "
        "400 ms: the event loop read and handled all of it in one turn.",
        "`python -m benchmarks.crowd`, with strace",
        "tests/broker/server/test_connection.py::test_many_are_read_in_turns",
    ),
)
