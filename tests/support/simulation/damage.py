"""Ways in which a disk damages what rests on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from tapemq.batch import BatchError, Header, checksum, decode_header
from tests.support.disk_image import Image, flipped

_VERSION_AT: Final = 4
_SHARED: Final = ("FORMAT", "CLEAN", "LOCK", "catalog/")
"""What all of a broker depends on."""

Place = tuple[str, int, bytes]


@dataclass
class Damaged:
    """A copy of a disk, and what was done to it."""

    kind: str
    path: str
    image: dict[str, bytes]
    unreadable: str = ""

    @property
    def may_stop_all(self) -> bool:
        """Nothing can be served without the file."""
        return self.path.startswith(_SHARED)

    @property
    def is_lost_file(self) -> bool:
        """A file is gone: the oldest of a log may as well have been removed by retention."""
        return self.kind == "lose_file"

    def touches(self, path: str) -> bool:
        """Whether an error may name this path."""
        return self.path == path or self.path.startswith(f"{_directory(path)}/")

    def __str__(self) -> str:
        return f"{self.kind} of {self.path}"


def _directory(path: str) -> str:
    return path.rpartition("/")[0] if path.endswith(".log") else path


def batches_in(data: bytes) -> Iterator[tuple[int, Header, bytes]]:
    """The sound batches at the beginning of a segment: position, header, all bytes."""
    position = 0
    while position < len(data):
        try:
            header = decode_header(data, position)
        except BatchError:
            return
        yield position, header, data[position : position + header.batch_bytes]
        position += header.batch_bytes


def _places(image: Image) -> list[Place]:
    """All batches in all logs."""
    return [
        (path, position, data)
        for path in sorted(image)
        if path.endswith(".log")
        for position, _, data in batches_in(image[path])
    ]


def flip_at_rest(random: Random, image: Image) -> Damaged | None:
    """One bit of one file turns over."""
    path = random.choice(sorted(path for path in image if image[path]))
    bit = random.randrange(8 * len(image[path]))
    return Damaged("flip_at_rest", path, {**image, path: flipped(image[path], bit)})


def misdirect(random: Random, image: Image) -> Damaged | None:
    """A write goes to a wrong place: there it overwrites something, and its own place is as it was
    before (that is: it is missing too), or was written again later."""
    places = _places(image)
    if len(places) < 2:
        return None
    (_, _, data), (path, position, old) = random.sample(places, 2)
    if random.random() < 0.3:
        position += random.randrange(len(old))
    before = image[path]
    after = before[:position] + data + before[position + len(data) :]
    if after == before:
        return None
    return Damaged("misdirect", path, {**image, path: after})


def zero_sector(random: Random, image: Image) -> Damaged | None:
    """A write never came to its place, though the disk had said so: zeros are there."""
    places = _places(image)
    if not places:
        return None
    path, position, data = random.choice(places)
    before = image[path]
    after = before[:position] + bytes(len(data)) + before[position + len(data) :]
    return Damaged("zero_sector", path, {**image, path: after})


def lose_file(random: Random, image: Image) -> Damaged | None:
    """A file is gone."""
    path = random.choice([path for path in sorted(image) if path != "LOCK"])
    return Damaged("lose_file", path, {at: data for at, data in image.items() if at != path})


def lose_log(random: Random, image: Image) -> Damaged | None:
    """All files of a log are gone."""
    directories = sorted({_directory(path) for path in image if path.endswith(".log")})
    if not directories:
        return None
    gone = random.choice(directories)
    left = {at: data for at, data in image.items() if not at.startswith(gone + "/")}
    return Damaged("lose_log", f"{gone}/", left)


def shorten(random: Random, image: Image) -> Damaged | None:
    """The end of a file is gone."""
    paths = [path for path in sorted(image) if path.endswith(".log") and image[path]]
    if not paths:
        return None
    path = random.choice(paths)
    ends = [position for position, _, _ in batches_in(image[path])]
    size = random.choice([*ends, random.randrange(len(image[path]))])
    return Damaged("shorten", path, {**image, path: image[path][:size]})


def from_the_future(random: Random, image: Image) -> Damaged | None:
    """A batch of a later version of the format."""
    places = _places(image)
    if not places:
        return None
    path, position, data = random.choice(places)
    head = bytearray(data[:88])
    head[_VERSION_AT] += 1
    head[84:] = checksum(bytes(head[:84])).to_bytes(4, "big")
    before = image[path]
    after = before[:position] + bytes(head) + before[position + 88 :]
    return Damaged("from_the_future", path, {**image, path: after})


def become_unreadable(random: Random, image: Image) -> Damaged | None:
    """Reads of a file fail."""
    paths = [path for path in sorted(image) if path.endswith(".log")]
    if not paths:
        return None
    path = random.choice(paths)
    return Damaged("become_unreadable", path, dict(image), unreadable=path)


DAMAGES: Final[tuple[Callable[[Random, Image], Damaged | None], ...]] = (
    *(flip_at_rest, flip_at_rest, misdirect, misdirect, zero_sector),
    *(lose_file, lose_log, shorten, from_the_future, become_unreadable),
)
