from tapemq.network.publish_window import PublishWindow


def test_window_admits_what_fits() -> None:
    window = PublishWindow(100)
    window.sent(60)
    assert window.admits(40)
    assert not window.admits(41)
    window.answered(60)
    assert window.admits(41)


def test_one_frame_may_be_in_flight_however_large() -> None:
    window = PublishWindow(100)
    assert window.admits(1000)
    window.sent(1000)
    assert not window.admits(1)


def test_closed_window_admits_nothing() -> None:
    window = PublishWindow(0)
    assert window.blocked
    assert not window.admits(0)


def test_window_that_shrank_admits_again_when_enough_is_answered() -> None:
    window = PublishWindow(100)
    window.sent(50)
    window.sent(50)
    window.size_bytes = 60
    window.answered(50)
    assert window.admits(10)
    assert not window.admits(11)
