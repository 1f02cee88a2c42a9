"""What can be wrong with the bytes of a batch."""


class BatchError(ValueError):
    """Bytes that are not a batch of this format. The text says which field, and why."""


class ChecksumMismatch(BatchError):
    """Bytes that are not what was once written."""


class UnknownFormat(BatchError):
    """A version, codec or checksum kind of a newer (or another) TapeMQ: upgrade to read it."""
