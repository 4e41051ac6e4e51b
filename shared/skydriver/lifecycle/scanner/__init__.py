"""The scanner server's life: its launch, its reports, and what follows when it ends.

It may use everything that `lifecycle` may.
"""
