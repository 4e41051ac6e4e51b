"""What a clock has to do, since no function stays alive: `sweep` does the duties of this room.

It may use everything that `lifecycle` may.
"""
