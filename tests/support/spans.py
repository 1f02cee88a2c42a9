"""How long to measure for in a test."""

from collections.abc import Iterator


def growing_spans_s(first_s: float) -> Iterator[float]:
    """Tenfold each time, four times.

    A machine that is busy enough gives a process nothing to do in the first of them: whoever looks
    at what was measured goes on until there is something.
    """
    for power in range(4):
        yield first_s * 10**power
