"""The work queue: one producer, many consumers that compete, every record acked on its own."""
