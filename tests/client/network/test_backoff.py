from tapemq.network.backoff import Backoff


def test_ceiling_doubles_up_to_the_cap() -> None:
    backoff = Backoff(base_s=0.1, cap_s=1.0)
    assert [backoff.next_delay_s(1.0) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_wait_is_a_share_of_the_ceiling() -> None:
    backoff = Backoff(base_s=8.0, cap_s=30.0)
    assert backoff.next_delay_s(0.25) == 2.0
    assert backoff.next_delay_s(0.0) == 0.0


def test_reset_starts_over() -> None:
    backoff = Backoff(base_s=1.0)
    for _ in range(4):
        backoff.next_delay_s(1.0)
    backoff.reset()
    assert backoff.next_delay_s(1.0) == 1.0


def test_default_cap_holds_for_ever() -> None:
    backoff = Backoff()
    assert max(backoff.next_delay_s(1.0) for _ in range(2000)) == 5.0
