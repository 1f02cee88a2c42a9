"""Reading a topic as a queue: each record goes to one worker of a group, and is settled by it."""
