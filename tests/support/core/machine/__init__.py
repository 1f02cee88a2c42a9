"""A state machine over the core: a model, what subscribers see, and the rules that drive both."""
