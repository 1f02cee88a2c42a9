"""Connections to a broker: addresses, one connection, and the link that keeps one alive."""
