"""Data directories that no broker uses, for the commands that look at files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from tapemq.batch import Role
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tapemq_broker.cli.setting_sources import ConfigurationError, load
from tapemq_broker.core.packed import BadEntry
from tapemq_broker.core.queue.entries import durable_floor
from tapemq_broker.core.topics import CATALOG, gone_topics, logs_of, read_catalog
from tapemq_broker.storage.clean import look_at_clean
from tapemq_broker.storage.directory import (
    CATALOG_PATH,
    DEFAULT_NAMESPACE,
    FORMAT_PATH,
    DataDirectory,
    LogPlace,
)
from tapemq_broker.storage.errors import DataDirectoryError
from tapemq_broker.storage.files import OsDisk
from tapemq_broker.storage.known_logs import KnownLogs, is_expected
from tapemq_broker.storage.last_values import LastValues
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.scan import Batch
from tapemq_broker.storage.stretches import stretches

DataPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="PATH",
        help="A data directory, or a log within it. Default: the data directory of the settings.",
    ),
]


class Opened(NamedTuple):
    """A data directory, and the log within it that the path named, if it named one."""

    root: Path
    directory: DataDirectory
    place: LogPlace | None

    def needs_place(self) -> LogPlace:
        """The log. Raises CommandError if the path named the whole directory."""
        if self.place is None:
            raise CommandError(
                f"{self.root} is a data directory; name one of its logs",
                f"list them: tapemq dump {self.root}",
                Exit.USAGE,
            )
        return self.place


@contextmanager
def opened(path: Path | None, *, for_writing: bool = False) -> Iterator[Opened]:
    """Open the data directory that holds the path. Raises CommandError, DataDirectoryError.

    ``for_writing``, the path may also be that of a log which is gone, and should be there.
    """
    target = _existing(path, or_gone=for_writing)
    root = _root_of(target)
    disk = OsDisk(str(root), read_only=not for_writing)
    try:
        directory = DataDirectory.open_offline(disk, for_writing=for_writing)
        yield Opened(root, directory, _place(directory, root, target))
    except DataDirectoryError as error:
        raise CommandError(f"{root}: {error}", code=Exit.DATA_REFUSED) from None
    finally:
        disk.close()


def _existing(path: Path | None, *, or_gone: bool) -> Path:
    """The path that is meant: as it is, or within the data directory of the settings.

    ``or_gone``: if there is none, the first that a data directory is above of.
    """
    try:
        data_dir = load({}).settings.data_dir
    except ConfigurationError as error:
        raise CommandError(str(error), code=Exit.BAD_CONFIGURATION) from None
    candidates = [data_dir] if path is None else [path, data_dir / path]
    for candidate in candidates:
        if candidate.exists():
            return candidate.absolute()
    for candidate in candidates:
        if or_gone and (_root_of(candidate.absolute()) / FORMAT_PATH).is_file():
            return candidate.absolute()
    raise _no_such(candidates[0])


def _no_such(path: Path) -> CommandError:
    return CommandError(
        f"{path} does not exist",
        "name a data directory, or a log with the data directory in front of it",
        Exit.USAGE,
    )


def _root_of(path: Path) -> Path:
    """The directory with the FORMAT file, the path itself or the nearest above it."""
    for candidate in (path, *path.parents):
        if (candidate / FORMAT_PATH).is_file():
            return candidate
    return path


def _place(directory: DataDirectory, root: Path, path: Path) -> LogPlace | None:
    if path == root:
        return None
    place = directory.place_of(path.relative_to(root).as_posix())
    if not path.exists() and not (place and _is_expected(directory, place)):
        raise _no_such(path)
    if place is None:
        advice = f"list them: tapemq dump {root}"
        raise CommandError(f"{path} is not the directory of a log", advice, Exit.USAGE)
    return place


def _is_expected(directory: DataDirectory, place: LogPlace) -> bool:
    return is_expected(directory, place, known_logs(directory), look_at_clean(directory.disk))


def committed_upto(directory: DataDirectory, place: LogPlace) -> int:
    """Below which offset groups have handled something in the partition; 0 if they have not.

    What was handled had been on disk. Only sound batches of the group log are looked at.
    """
    if place.log_id.role is not Role.DATA:
        return 0
    log_id = place.log_id._replace(role=Role.GROUPS)
    path = directory.log_path(place.topic, log_id, place.namespace)
    with suppress(BadEntry):
        return durable_floor(sound_entries(LogFiles(directory.disk, path, log_id)))
    return 0


def known_logs(directory: DataDirectory) -> KnownLogs:
    """What the catalog knows, as far as it is sound.

    With the directories that may be of topics of which it says nonsense: nobody is to remove them.
    """
    entries = sound_entries(LogFiles(directory.disk, CATALOG_PATH, CATALOG))
    catalog = read_catalog(entries)
    known = {directory.topic_path(info.name, info.topic_id) for info in catalog.topics}
    deleted = {directory.topic_path(name, topic_id) for name, topic_id in gone_topics(entries)}
    strange = set(directory.unknown_topics(known | deleted))
    refused = strange.difference(directory.unknown_topics(known | deleted, catalog.refused))
    logs = [
        LogPlace(DEFAULT_NAMESPACE, info.name, log_id, directory.log_path(info.name, log_id))
        for info in catalog.topics
        for log_id in logs_of(info, entries)
    ]
    return KnownLogs(known | refused, logs, deleted)


def sound_entries(files: LogFiles) -> Mapping[bytes, bytes]:
    """What the sound batches of a state log add up to."""
    values = LastValues()

    def take(_: int, batch: Batch) -> None:
        with suppress(ValueError):
            values.observe(batch.header, memoryview(batch.body))

    for _ in stretches(files, take):
        pass
    return values.entries
