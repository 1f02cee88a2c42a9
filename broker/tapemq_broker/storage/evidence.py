"""What durable things say about a log: up to where it was known to be on disk."""

from collections.abc import Iterator
from typing import NamedTuple

from tapemq.batch import Header
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.errors import NO_FILES_ERRORS
from tapemq_broker.storage.log_files import LogFiles
from tapemq_broker.storage.scan import Window, resync
from tapemq_broker.storage.survey import Proof, Survey, Trouble


class Behind(NamedTuple):
    """What lies behind a bad place.

    ``proof`` says in words why the place was durable; None if nothing proves it. ``next_offset``
    is that of the first sound batch behind the place, if there is one.
    """

    proof: str | None
    next_offset: int | None = None


def newest_proof(files: LogFiles, bases: list[int]) -> Proof | None:
    """The newest segment with a valid seal."""
    for base in reversed(bases):
        seal = files.seal(base)
        if seal is not None:
            return Proof(base, seal.size_bytes, seal.end, seal.complete)
    return None


def look_behind(files: LogFiles, survey: Survey) -> Behind:
    """Search what lies behind the bad place for sound batches, and for a proof among them.

    Whatever cannot be read counts as a proof, because it might be one. Raises OSError where no more
    files can be opened: that says nothing of this log.
    """
    next_offset = None
    try:
        for where, header in _later_headers(files, survey):
            if next_offset is None:
                next_offset = header.base_offset
            if _proves(header, survey.end):
                return Behind(_claim(header, where), next_offset)
    except OSError as error:
        if error.errno in NO_FILES_ERRORS:
            raise
        return Behind(f"what follows cannot be read: {error}", next_offset)
    return Behind(None, next_offset)


def _later_headers(files: LogFiles, survey: Survey) -> Iterator[tuple[str, Header]]:
    """The sound headers behind the bad place, each with the words that say where it is."""
    trouble = survey.trouble
    if trouble is None:
        return
    for base in survey.bases:
        if base >= trouble.segment_base:
            start = _resync_from(trouble) if base == trouble.segment_base else 0
            with files.open(base) as file:
                for position, header in resync(Window(file), start, files.log_id):
                    if _is_behind(header, survey.end):
                        yield f"{file.path} at byte {position}", header


def _resync_from(trouble: Trouble) -> int:
    # A sound header's length can be trusted, so what a client put into the body is not searched.
    size_bytes = trouble.header.batch_bytes if trouble.header else 1
    return trouble.position + size_bytes


def _is_behind(header: Header, end: LogEnd) -> bool:
    """Whether a sound batch can be a later one of this log, and not an old copy."""
    return (
        header.batch_number > end.next_batch
        and header.base_offset >= end.next_offset
        and header.durable_batch <= header.batch_number
        and header.durable_upto <= header.base_offset
    )


def _proves(header: Header, end: LogEnd) -> bool:
    return header.durable_batch > end.next_batch or header.durable_upto > end.next_offset


def _claim(header: Header, where: str) -> str:
    return (
        f"batch {header.batch_number} ({where}) was written when all batches below "
        f"{header.durable_batch} and all offsets below {header.durable_upto} were on disk"
    )
