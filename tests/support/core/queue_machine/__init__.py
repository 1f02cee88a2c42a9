"""Anything that may happen to queue groups, against a model of dictionaries and lists."""
