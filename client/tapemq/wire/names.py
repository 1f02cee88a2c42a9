"""Names of namespaces, topics and groups."""

import re
from typing import Final

from tapemq.wire.limits import NAME_BYTES_MAX

_NAME: Final = re.compile(rf"[A-Za-z0-9_@-][A-Za-z0-9._@-]{{0,{NAME_BYTES_MAX - 1}}}")


def check_text(what: str, text: object) -> str:
    """``text`` itself. Raises TypeError if it is none."""
    if not isinstance(text, str):
        raise TypeError(f"{what} is text, not {text!r:.80}")
    return text


def check_name(kind: str, name: object) -> str:
    """``name`` itself. Raises ValueError unless it is 1 to 200 of A-Z a-z 0-9 . _ @ -, no
    leading dot, TypeError if it is no text. ``kind`` ("topic", "group") is for the error's text."""
    name = check_text(f"a {kind}'s name", name)
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r:.80} is no {kind} name: 1 to {NAME_BYTES_MAX} letters, digits, and . _ @ -, "
            "not starting with a dot"
        )
    return name
