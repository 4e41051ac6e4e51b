"""Scanner servers as Kubernetes Jobs.

It may use everything that `scanner` may.
"""
