"""Records that come into their topic later, and again and again."""
