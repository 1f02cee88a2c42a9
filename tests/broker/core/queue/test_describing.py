from tapemq_broker.core.queue.verb import Verb
from tests.support.core.queueing import consume, info, queue_world, send, settle, settled


def test_the_numbers_of_a_group() -> None:
    world = queue_world(20)
    consume(world, records=10, max_attempts=5)
    lease = send(world)
    settled(world, Verb.ACK, (lease.lease_id, 0, 2), (lease.lease_id, 5, 1))
    settled(world, Verb.REJECT, (lease.lease_id, 7, 1))
    settle(world, Verb.NACK, (lease.lease_id, 3, 1))
    found = info(world)
    assert (found.partition, found.ack_floor, found.cursor, found.visible) == (0, 2, 10, 20)
    assert (found.ready, found.leased, found.retrying, found.dead) == (10, 5, 1, 1)
    assert found.settled_above_floor == 2
    assert (found.consumers, found.credit_records) == (1, 0)
    assert found.settings == {"max_attempts": 5}
    assert (found.acked, found.failed, found.redelivered) == (3, 2, 0)


def test_credit_is_told_as_far_as_it_can_be_said() -> None:
    world = queue_world()
    for session in (1, 2):
        consume(world, session, records=2**64 - 1)
    assert info(world).credit_records == 2**64 - 1
