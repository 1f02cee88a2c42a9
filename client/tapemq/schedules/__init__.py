"""Records that come into their topic later."""
