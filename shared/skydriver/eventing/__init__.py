"""CloudEvents: their types and codec, publishing from the outbox, and the handler of a step.

It may use the store and what stands below that.
"""
