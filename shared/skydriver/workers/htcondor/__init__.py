"""Workers as HTCondor jobs. The bindings run in a child process, which is ended at its deadline.

It may use everything that `workers` may.
"""
