"""Disks as dictionaries, so that a test can damage one copy after the other."""

from collections.abc import Mapping

from tapemq_broker.storage.disk import Disk
from tapemq_broker.storage.memory_disk import MemoryDisk

Image = Mapping[str, bytes]
"""The path and the bytes of every file."""


def take_image(disk: Disk, directory: str = "") -> dict[str, bytes]:
    """All files of a disk."""
    image: dict[str, bytes] = {}
    for name in disk.list_directory(directory):
        path = f"{directory}/{name}" if directory else name
        if name.endswith("/"):
            image |= take_image(disk, path.removesuffix("/"))
        else:
            image[path] = disk.read_file(path) or b""
    return image


def fill(disk: Disk, image: Image) -> None:
    """Write all files of an image, durably."""
    for path, data in image.items():
        directory = path.rpartition("/")[0]
        if directory:
            disk.make_directory(directory)
        file = disk.open(path, create=True)
        file.append([data])
        disk.sync_now(file)
        file.close()


def restore_catalog(disk: Disk, image: Image) -> None:
    """Put an older copy of the catalog in its place, while no broker runs."""
    disk.remove("CLEAN")
    for name in disk.list_directory("catalog"):
        disk.remove(f"catalog/{name}")
    for path in [path for path in image if path.startswith("catalog/")]:
        disk.replace_file(path, image[path])


def make_disk(image: Image) -> MemoryDisk:
    """A disk in memory with the files of an image."""
    disk = MemoryDisk()
    fill(disk, image)
    return disk


def flipped(data: bytes, bit: int) -> bytes:
    """``data`` with one bit turned over."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
