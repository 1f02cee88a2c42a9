"""The TapeMQ broker."""
