"""Measures a broker as one Python application sees it."""
