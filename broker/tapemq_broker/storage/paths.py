"""Names of the files in a log's directory."""

_DIGITS = 20


def segment_path(directory: str, base_offset: int) -> str:
    """The segment whose first record has ``base_offset``."""
    return f"{directory}/{base_offset:0{_DIGITS}}.log"


def index_path(directory: str, base_offset: int) -> str:
    """The index of that segment, a cache."""
    return f"{directory}/{base_offset:0{_DIGITS}}.index"


def state_path(directory: str, offset: int) -> str:
    """The observer's state as of everything below ``offset``, a cache."""
    return f"{directory}/{offset:0{_DIGITS}}.state"


def base_offset_of(name: str, suffix: str) -> int | None:
    """The offset in a file name such as ``00000000000000000000.log``; None for another name."""
    digits = name.removesuffix(suffix)
    if digits == name or len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits)


def base_offsets(names: list[str], suffix: str) -> list[int]:
    """The offsets of all files of one kind in a directory listing, ascending."""
    found = [base_offset_of(name, suffix) for name in names]
    return sorted(offset for offset in found if offset is not None)
