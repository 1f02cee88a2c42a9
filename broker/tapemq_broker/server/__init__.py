"""The asyncio shell: bytes to commands, effects to disk and sockets, time to events."""
