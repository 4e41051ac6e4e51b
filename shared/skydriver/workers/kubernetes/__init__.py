"""Workers as pods of a Kubernetes Job.

It may use everything that `workers` may.
"""
