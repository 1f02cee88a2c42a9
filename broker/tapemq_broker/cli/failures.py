"""Errors of the SDK, of storage and of the system as commands report them."""

import tapemq
from tapemq_broker.cli.errors import CommandError
from tapemq_broker.cli.exits import Exit
from tapemq_broker.storage.errors import StorageError

_VERIFY = "stop the broker, then: tapemq verify DATA_DIR, which says how to repair it"
_ADVICE: dict[type[tapemq.Error], str] = {
    tapemq.TopicNotFound: "list the topics: tapemq topic ls",
    tapemq.TopicExists: "change it: tapemq topic alter {topic}",
    tapemq.PartitionNotFound: "see how many it has: tapemq topic info {topic}",
    tapemq.GroupNotFound: "list the groups: tapemq group ls {topic}",
    tapemq.ScheduleNotFound: "list what is pending: tapemq schedule ls {topic}",
    tapemq.GroupBusy: "stop its members first; they are named by: tapemq group info {topic}",
    tapemq.OffsetOutOfRange: "see which offsets there are: tapemq topic info {topic}",
    tapemq.DiskFull: "free space on the broker's disk: retention, or tapemq topic rm",
    tapemq.StorageFailed: _VERIFY,
    tapemq.CorruptBatch: _VERIFY,
    tapemq.IndeterminateError: "it may or may not have been done: look before doing it again",
    tapemq.Overloaded: "try again in a moment",
}
_UNREACHABLE = (tapemq.ConnectionLost, tapemq.ProtocolViolation, tapemq.Unauthenticated)


def failure_of(error: tapemq.Error | StorageError | OSError, topic: str = "TOPIC") -> CommandError:
    """What a command says when this was raised; ``topic`` is the one that it was about."""
    if isinstance(error, tapemq.Error):
        code = Exit.UNREACHABLE if isinstance(error, _UNREACHABLE) else Exit.FAILED
        # The class itself first: some are kinds of others.
        advice = next((_ADVICE[kind] for kind in type(error).mro() if kind in _ADVICE), "")
        return CommandError(str(error), advice.format(topic=topic), code)
    if isinstance(error, StorageError):
        return CommandError(str(error), code=Exit.DATA_REFUSED)
    return CommandError(f"{error.filename}: {error.strerror}" if error.filename else str(error))
