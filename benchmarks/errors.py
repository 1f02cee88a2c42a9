"""What can go wrong in a benchmark."""


class BenchmarkError(Exception):
    """A measurement could not be made, or must not be trusted; the text says why."""
