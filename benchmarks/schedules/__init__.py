"""What schedules cost: memory and disk for many that are pending, and how late they come."""
