"""Writing bytes once more where they are, so that a sync brings them to the disk.

After a failed sync, pages are clean that never reached the disk (see unproven.py). Writing the same
bytes again makes them dirty; the sync behind that is one that counts. On ext4 that is not enough:
the page may point to a block that the file system still takes for never written, and reads back as
zeros. So the pages are dropped from the cache before, and once more when all is to be checked.

A crash in the middle does no harm. Where the bytes are on the disk, old, new and torn ones are all
the same; where they are not, no sync has ever covered them, so nothing was promised.
"""

import errno

from tapemq.batch import BatchError, LogId
from tapemq_broker.storage.chain import LogEnd
from tapemq_broker.storage.disk import File
from tapemq_broker.storage.scan import WINDOW_BYTES, Batch, Window, read_batch
from tapemq_broker.storage.survey import KnownSegment


def rewrite(file: File, start: int, stop: int) -> int:
    """Write the bytes from ``start`` to ``stop`` again; how many. Sync the same open file then.

    Raises OSError.
    """
    position = start
    while position < stop:
        # Up to a border of pages: dropping those of one piece must not drop a part of the next.
        size_bytes = WINDOW_BYTES - position % WINDOW_BYTES
        piece = file.read(position, min(size_bytes, stop - position))
        if not piece:
            raise _vanished(file)
        file.rewrite(position, piece)
        position += len(piece)
    return max(0, stop - start)


def check_again(file: File, start: int, known: KnownSegment, log_id: LogId) -> None:
    """Read the batches from ``start`` to the end of a segment once more, from the disk.

    Raises OSError if they are not those that were there before: some never were on the disk, and
    the page cache has let go of them. The next start finds a torn tail, and cuts it off.
    """
    if start >= known.size_bytes:
        return
    file.drop_cache()
    window, position, end, last = Window(file), start, None, None
    while isinstance(found := read_batch(window, position), Batch):
        last = found.header
        try:
            end = (end or LogEnd.before(last)).step(last, found.body, log_id)
        except BatchError:
            break
        position += last.batch_bytes
    if position != known.size_bytes or last != known.last:
        raise _vanished(file)


def _vanished(file: File) -> OSError:
    reason = "bytes that were read before are not on the disk, it has failed; start again"
    return OSError(errno.EIO, reason, file.path)
