"""Consumers that are killed, what they leave written, and the rules that it has to obey."""
