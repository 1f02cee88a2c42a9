"""The protocol, sans-I/O, shared by both sides. Its specification is protocol.md."""
