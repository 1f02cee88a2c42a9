"""The words of a refusal: what was found where, why it cannot be cut off, and what to do."""

import errno
from typing import Final

from tapemq_broker.storage.decision import Row
from tapemq_broker.storage.diagnosis import Diagnosis
from tapemq_broker.storage.errors import (
    NO_FILES_ERRORS,
    LogRefused,
    SyncFailed,
    repair_command,
)
from tapemq_broker.storage.log_files import LogFiles

FULL_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk, a quota, or the largest size of a file leaves no room."""

_REPAIR: Final = (
    "Nothing was changed. Restore the file from a copy; or stop the broker, keep a copy, and run: "
    "{command} --mode salvage (keeps every sound batch), or --mode truncate (keeps what is in "
    "front of the damage); without --yes it only says what would go"
)
_ADVICE: Final = {
    Row.NEWER_FORMAT: "Nothing was changed. Start the version that wrote it, or a newer one",
    Row.UNREADABLE: "Nothing was changed. Check the disk, then start again",
}


def is_full(error: OSError) -> bool:
    """Whether an error says that there is no room, so that trying again later does no harm.

    A failed sync never does, whatever its errno: a second one could seem to succeed.
    """
    return error.errno in FULL_ERRORS and not isinstance(error, SyncFailed)


def is_passing(error: OSError) -> bool:
    """Whether an error says that there is no room, or that no more files can be opened just now.

    No sync fails for want of open files, so that one is of what was not even begun.
    """
    return is_full(error) or error.errno in NO_FILES_ERRORS


def refusal(files: LogFiles, diagnosis: Diagnosis) -> LogRefused:
    """The error for a row that refuses."""
    reason = _reason(diagnosis)
    if diagnosis.proof:
        reason = f"{reason}, but {diagnosis.proof}"
    advice = _ADVICE.get(diagnosis.row, _REPAIR).format(command=repair_command(files.directory))
    return _error(files, diagnosis, reason, advice)


def no_room(files: LogFiles, diagnosis: Diagnosis, error: OSError) -> LogRefused:
    """The error for an end that cannot be set aside or written again because the disk is full."""
    reason = f"there is no room to recover the end of the log: {error}"
    return _error(files, diagnosis, reason, "Nothing is lost. Free some space, then start again")


def unreadable(
    path: str, error: OSError, *, from_offset: int = 0, to_offset: int = 0
) -> LogRefused | OSError:
    """The error for what the disk does not give: that one log is refused, and the others serve.

    Too many open files are no matter of that log: then it is the error itself.
    """
    if error.errno in NO_FILES_ERRORS:
        return error
    return LogRefused(
        Row.UNREADABLE.name,
        path,
        0,
        from_offset,
        to_offset,
        f"it cannot be read: {error}",
        _ADVICE[Row.UNREADABLE],
    )


def _reason(diagnosis: Diagnosis) -> str:
    if diagnosis.survey.trouble:
        return diagnosis.survey.trouble.reason
    if diagnosis.row is Row.CLEAN_MISMATCH:
        return "the segments are not those that the clean stop noted"
    return "the log ends here" if diagnosis.survey.segments else "there is no segment"


def _error(files: LogFiles, diagnosis: Diagnosis, reason: str, advice: str) -> LogRefused:
    survey = diagnosis.survey
    segment, position = files.directory, 0
    if survey.trouble:
        segment, position = files.segment_path(survey.trouble.segment_base), survey.trouble.position
    elif survey.segments:
        last = survey.segments[-1]
        segment, position = files.segment_path(last.base_offset), last.size_bytes
    return LogRefused(
        diagnosis.row.name,
        segment,
        position,
        survey.end.next_offset,
        diagnosis.lost_upto,
        reason,
        advice,
    )
