"""Limits of the format itself. A broker may be configured to allow less, never more."""

BODY_BYTES_MAX = 20 * 1024 * 1024
"""Largest body: one record of the largest size with its key, headers and tables."""

RECORD_BYTES_MAX = 16 * 1024 * 1024
"""Largest value or key of one record, in bytes."""

EXTRAS_BYTES_MAX = 16 * 1024
"""Largest extras of one record. Decoded they take up to 30 times as much memory."""

COUNT_MAX = 65_535
"""Most records in one batch. Bounds what a reader must build from a body of empty records."""

DATA_BYTES_MAX = BODY_BYTES_MAX
"""Largest data area once decompressed, in bytes: a small body cannot ask for more memory."""

EXTRAS_ENTRIES_MAX = 64
"""Most headers, and most attributes, of one record."""
