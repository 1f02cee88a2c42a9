"""A world for the broker's core: its effects are carried out on lists."""
