import traceback
from concurrent.futures import Future, ThreadPoolExecutor

from tapemq.worker.frames import own_part


def fails() -> None:
    raise ValueError("bad")


def test_what_lies_between_is_left_out() -> None:
    with ThreadPoolExecutor(1) as threads:
        future: Future[None] = threads.submit(fails)
        error = future.exception()
    assert error is not None
    lines = "".join(traceback.format_exception(*own_part(error))).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith("in fails")
    assert __file__ in lines[1]
    assert lines[-1] == "ValueError: bad"


def test_an_error_without_lines_of_the_application_is_still_named() -> None:
    error = ValueError("bad")
    assert own_part(error) == (ValueError, error, None)
