"""Commands that are not carried out."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a command was refused. ``name`` is a name of the protocol's error table."""

    name: str
    text: str
    retry_after_s: float = 0.0


class Refused(Exception):
    """Raised inside the core; ends as the Refusal that answers the command."""

    def __init__(self, name: str, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(text)
        self.refusal = Refusal(name, text, retry_after_s)
