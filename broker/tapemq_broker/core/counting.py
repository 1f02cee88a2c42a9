"""Numbers of things, in sentences."""


def counted(number: int, noun: str) -> str:
    """Such as "1 record" and "1,500 records"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def agreeing(number: int, one: str, many: str) -> str:
    """The verb that goes with so many."""
    return one if number == 1 else many
