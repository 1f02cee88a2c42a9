"""Queue groups: each record of a topic goes to one worker, and is settled one by one.

Of a group on a partition there are a floor (everything below is settled), a set of settled offsets
above it, and what is exceptional: records that failed, and dead ones. A record that is ready costs
nothing, one that is leased a bit.
"""
