"""Rules on what retention and limits of a length may remove."""

from collections.abc import Iterator, Mapping

from tests.support.simulation.history import Extent, History, Outcome

_Settings = Mapping[str, int | str]


def removed(history: History) -> Iterator[str]:
    """Records are gone that the settings of their topic keep."""
    for extent in history.extents:
        settings = history.settings.get(extent.log.topic)
        if settings is not None and extent.first_offset:
            yield from _too_much(extent, settings)
            yield from _too_early(history, extent, settings)


def _too_much(extent: Extent, settings: _Settings) -> Iterator[str]:
    """What is left is less than any of the limits asks for."""
    is_dropping = settings.get("overflow") == "drop_oldest"
    records = int(settings.get("max_records", 0)) if is_dropping else 0
    size_bytes = int(settings.get("retention_bytes", 0))
    if settings.get("retention_age_s") or (is_dropping and "max_bytes" in settings):
        return
    if not records and not size_bytes:
        yield f"{extent.log} begins at {extent.first_offset}, and is to keep everything"
        return
    has_records = records and extent.next_offset - extent.first_offset >= records
    # What is dropped may still lie in the first segment, so that many bytes prove nothing.
    has_bytes = size_bytes and extent.size_bytes >= size_bytes
    if not has_records and not has_bytes:
        yield f"{extent} is less than {dict(settings)} keep"


def _too_early(history: History, extent: Extent, settings: _Settings) -> Iterator[str]:
    """What is removed is younger than it may get."""
    age_s = int(settings.get("retention_age_s", 0))
    is_dropping = settings.get("overflow") == "drop_oldest"
    if not age_s or is_dropping or history.jumps:
        return
    for publish in history.publishes:
        is_gone = (
            publish.outcome is Outcome.OK
            and publish.place is not None
            and publish.place.log == extent.log
            and publish.place.offset < extent.first_offset
        )
        if is_gone and publish.invoked_s > extent.at_s - age_s:
            yield (
                f"{publish.value!r} at {publish.place}, published at {publish.invoked_s:.6f} s or "
                f"later, is gone at {extent.at_s:.6f} s; it was to be kept for {age_s} s"
            )


def hoarded(history: History) -> Iterator[str]:
    """What a topic's settings do not keep is there for ever."""
    for extent, settings, offset, most_bytes in history.old:
        if "retention_age_s" in settings:
            # A clock that has jumped may take records for younger than they are.
            is_left = extent.first_offset <= offset and not history.jumps
        else:
            is_left = extent.size_bytes > most_bytes
        if is_left:
            yield f"{extent} is more than {dict(settings)} keep"


def forgotten(history: History) -> Iterator[str]:
    """A record that is sent again is taken for a new one, since the first one was removed."""
    for retry in history.retries:
        if retry.answered != retry.offset:
            yield f"a record is at {retry.offset} of {retry.log}, and again at {retry.answered}"


def backdated(history: History) -> Iterator[str]:
    """A record's time is before that of the one in front of it."""
    for log, times in history.final_times.items():
        latest = None
        for offset, time in sorted(times.items()):
            if latest is not None and time < latest:
                yield f"{log} has {time} at {offset}, and {latest} in front of it"
            latest = time
