"""Worker clusters: what they are started with, and where they run; the pilot around their clients.

It may use eventing, S3, Kubernetes and what stands below those; `scanner` is its neighbour.
"""
