"""Transcripts of the core's behaviour: commands, and the effects that follow."""
