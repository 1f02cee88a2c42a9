"""Deterministic simulation: the whole engine in one process, on virtual time, from one seed."""
