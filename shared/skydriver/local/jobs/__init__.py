"""The job host: containers of a Job as processes of this machine, and its HTTP API.

It may use everything that `local` may.
"""
