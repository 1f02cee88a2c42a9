"""Workers: an application of handlers, and the command that runs it. Needs the SDK alone."""
