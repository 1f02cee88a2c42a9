"""Controls of what the core, the server and the client decide."""

from typing import Any, Final

from tapemq.wire.session import Role, State
from tapemq_broker.core.effects import Reply
from tests.support.proof.controls.control import Control, always, nothing

CORE = "tapemq_broker.core"
QUEUE = f"{CORE}.queue"
TESTS = "tests/broker/core"
SIMULATED = "tests/simulation/test_negative_controls.py"
CLIENT_TESTS = "tests/client/publishing"


def _at_once(_: Any) -> Any:
    return lambda log, end, request, result: Reply(request, result)


def _one_more(good: Any) -> Any:
    return lambda settled, first, end: good(settled, first, end + 1)


def _anywhere(_: Any) -> Any:
    return lambda group, partition, offset, now_us: group.positions[partition]._replace(
        cursor=offset, commit_time_us=now_us
    )


def _even_early(_: Any) -> Any:
    return property(lambda reader: reader.position < reader.partition.next_offset)


def _tomorrow(good: Any) -> Any:
    return lambda alarm, index, now_us, without: good(alarm, index, now_us + 10**11, without)


def _everything(good: Any) -> Any:
    return good | {(Role.BROKER, State.HANDSHAKE): good[Role.BROKER, State.OPEN]}


PUBLISHING: Final = (
    Control(
        "P1",
        "a durable publish is answered at once",
        f"{TESTS}/test_broker.py::test_durable_publish_is_answered_when_it_is_on_disk",
        ((f"{CORE}.broker:ReplyWhenDurable", _at_once),),
    ),
    Control(
        "P4",
        "a record that was sent counts as withdrawn when its time is over",
        f"{CLIENT_TESTS}/test_outbox.py::test_what_was_sent_is_indeterminate",
        (("tapemq.publishing.outbox:Outbox.withdraw", always(True)),),
    ),
    Control(
        "P6",
        "a batch behind a refused one is taken",
        f"{TESTS}/test_producers.py::test_gap_is_out_of_order",
        ((f"{CORE}.producers:_judge_repeat", nothing),),
    ),
    Control(
        "P6",
        "refused batches go again before all in flight are answered",
        f"{CLIENT_TESTS}/test_lane.py::"
        "test_refused_batches_go_again_in_order_once_all_are_answered",
        (
            (
                "tapemq.publishing.lane:Lane._answered",
                lambda _: lambda lane, time_us: lane._rewind(time_us),
            ),
        ),
    ),
    Control(
        "P14",
        "producers are forgotten at a restart",
        f"{SIMULATED}::test_rule_fires[duplicate]",
    ),
    Control(
        "P14",
        "retries are not looked for",
        f"{TESTS}/test_partition.py::test_retry_is_answered_with_the_first_offset",
        ((f"{CORE}.producers:Producers.check", nothing),),
    ),
)

READING: Final = (
    Control(
        "P5",
        "a delivery moves its reader one record too far",
        f"{TESTS}/test_subscription.py::test_partitions_take_turns",
        (
            (
                f"{CORE}.subscription:Subscription.settle",
                lambda good: (
                    lambda one, partition, generation, next_offset, *rest: good(
                        one, partition, generation, next_offset + 1, *rest
                    )
                ),
            ),
        ),
    ),
    Control(
        "P8",
        "what is not on disk yet is delivered",
        "tests/test_scenarios.py::test_scenario[durability]",
        ((f"{CORE}.subscription:Reader.is_behind", _even_early),),
    ),
    Control(
        "P12",
        "a commit may go back",
        f"{TESTS}/test_group.py::test_commit_only_goes_forward",
        ((f"{CORE}.group:StreamGroup.committed", _anywhere),),
    ),
    Control(
        "P12",
        "who lost a partition may go on committing",
        f"{TESTS}/test_group.py::test_claim_of_a_generation",
        ((f"{CORE}.group:StreamGroup.check_claim", nothing),),
    ),
    Control(
        "P21",
        "what a group holds is not kept for it",
        f"{TESTS}/test_broker.py::test_retention_stops_at_hold_and_does_nothing_twice",
        ((f"{CORE}.topic:Topic.hold_offset", nothing),),
    ),
)

WORKING: Final = (
    Control(
        "P9",
        "records are leased and never sent",
        f"{SIMULATED}::test_rule_fires[unworked]",
    ),
    Control(
        "P9",
        "an ack settles the record behind it, too",
        f"{TESTS}/queue/test_settled.py::test_settled_offsets_are_those_that_were_added",
        ((f"{QUEUE}.settled:Settled.add", _one_more),),
    ),
    Control(
        "P10",
        "changes of groups are never written",
        f"{SIMULATED}::test_rule_fires[miscounted]",
    ),
    Control(
        "P10",
        "failures are not counted",
        f"{TESTS}/queue/test_settling.py::test_attempts_are_failures_and_crashes",
        ((f"{QUEUE}.settling:_note", nothing),),
    ),
    Control(
        "P10",
        "leases never run out",
        f"{TESTS}/queue/test_queues.py::test_leases_run_out_and_come_back",
        ((f"{QUEUE}.leases:Leases.expired", always([])),),
    ),
    Control(
        "P11",
        "acks are confirmed before the sync",
        f"{SIMULATED}::test_rule_fires[settled_again]",
    ),
    Control(
        "P11",
        "an ack is answered at once",
        f"{TESTS}/queue/test_queues.py::test_an_ack_is_answered_once_it_is_on_disk",
        ((f"{QUEUE}.queues:ReplyWhenDurable", _at_once),),
    ),
    Control(
        "P13",
        "an ack on a lost lease is taken for a good one",
        f"{TESTS}/queue/test_queues.py::test_what_is_not_leased_any_more_is_lost",
        ((f"{QUEUE}.queues:_lost", always([])),),
    ),
    Control(
        "P13",
        "leases have the same numbers after each start",
        f"{TESTS}/queue/test_leases.py::test_ids_are_of_this_boot",
        (
            (
                f"{QUEUE}.leases:Leases.__init__",
                lambda good: lambda leases, boot_epoch: good(leases, 0),
            ),
        ),
    ),
)

LIMITS: Final = (
    Control(
        "P19",
        "publishing goes on however little of the disk is left",
        "tests/broker/server/test_flow.py::"
        "test_a_low_disk_blocks_and_says_so_once_and_then_resumes",
        (("tapemq_broker.server.flow:Flow.check_disk", nothing),),
    ),
    Control(
        "P20",
        "nobody counts what is being published",
        "tests/broker/server/test_flow.py::test_short_memory_leaves_everybody_a_share",
        (("tapemq_broker.server.publish_memory:PublishMemory.change", nothing),),
    ),
    Control(
        "P22",
        "what is scheduled is due at once",
        "tests/broker/server/schedules/test_alarm.py::test_nothing_comes_before_its_time",
        (
            ("tapemq_broker.server.schedules.alarm:Alarm._is_due", always(True)),
            ("tapemq_broker.server.schedules.alarm:Alarm._look", _tomorrow),
        ),
    ),
    Control(
        "P25",
        "every message is taken before the handshake",
        "tests/client/wire/test_session.py::test_every_opcode_in_every_state",
        (("tapemq.wire.session:ALLOWED", _everything),),
    ),
    Control(
        "P25",
        "frames before the handshake may be as large as any",
        "tests/client/wire/test_session.py::test_frames_are_small_before_the_handshake",
        (("tapemq.wire.session:HANDSHAKE_FRAME_BYTES_MAX", lambda _: 1 << 24),),
    ),
)
