"""The form of a transcript: comments, commands, a line of dashes, what follows, a blank line."""

from typing import NamedTuple

_DASHES = "----"


class Step(NamedTuple):
    """Some commands, and the effects that are expected of them."""

    comments: list[str]
    commands: list[str]
    effects: list[str]

    def text(self) -> str:
        return "\n".join([*self.comments, *self.commands, _DASHES, *self.effects]) + "\n"


def read_steps(text: str) -> tuple[str, list[Step]]:
    """What a transcript says of itself, and its steps. Raises ValueError."""
    title, *blocks = text.strip().split("\n\n")
    if not all(line.startswith("#") for line in title.splitlines()):
        raise ValueError("a transcript begins with what it shows: lines with #, then a blank line")
    return title, [_step(block) for block in blocks]


def _step(block: str) -> Step:
    lines = block.splitlines()
    if _DASHES not in lines:
        raise ValueError(f"no line of dashes below {lines[0]!r}")
    at = lines.index(_DASHES)
    comments = [line for line in lines[:at] if line.startswith("#")]
    commands = [line for line in lines[:at] if not line.startswith("#")]
    return Step(comments, commands, lines[at + 1 :])


def write_steps(title: str, steps: list[Step]) -> str:
    """The transcript again."""
    return "\n".join([title + "\n", *[step.text() for step in steps]])
