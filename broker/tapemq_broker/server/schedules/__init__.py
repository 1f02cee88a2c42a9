"""Schedules in the running broker: their logs, the index, and the firing."""
