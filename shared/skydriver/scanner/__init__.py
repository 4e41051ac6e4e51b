"""The scanner server: its image's tag, command line, environment and tokens, and where it runs.

It may use eventing, S3, Kubernetes and what stands below those; `workers` is its neighbour.
"""
