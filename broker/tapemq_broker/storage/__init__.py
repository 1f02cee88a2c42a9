"""The storage engine: files, segments, logs, recovery and group commit.

Everything here blocks only where it says so, takes its disk and its time as arguments, and imports
no event loop.
"""
