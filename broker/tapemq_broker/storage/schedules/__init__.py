"""Indexes of pending schedules: what their logs add up to, by id, key and time."""
