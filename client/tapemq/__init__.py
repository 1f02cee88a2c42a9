"""TapeMQ's SDK: publish to and consume from a TapeMQ broker."""
