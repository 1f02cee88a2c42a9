import select

from tapemq.sync.bell import Bell


def is_ringing(bell: Bell) -> bool:
    poller = select.poll()
    poller.register(bell.fileno(), select.POLLIN)
    return bool(poller.poll(0))


def test_bell_rings_until_it_is_hushed() -> None:
    bell = Bell()
    assert not is_ringing(bell)
    bell.ring()
    bell.ring()
    assert is_ringing(bell)
    bell.hush()
    assert not is_ringing(bell)
    bell.hush()
    bell.close()


def test_bell_that_nobody_hears_blocks_nobody() -> None:
    bell = Bell()
    for _ in range(100_000):
        bell.ring()
    bell.close()
    bell.ring()
    bell.close()
