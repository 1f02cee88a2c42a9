"""Numbers that tell a claim from every earlier one."""

from typing import Final

GENERATIONS_PER_BOOT: Final = 1 << 32


class Generations:
    """Numbers that rise and never repeat, also across restarts (``boot_epoch``)."""

    def __init__(self, boot_epoch: int) -> None:
        self._last = boot_epoch * GENERATIONS_PER_BOOT

    def next(self) -> int:
        """A number above all that were handed out before."""
        self._last += 1
        return self._last
