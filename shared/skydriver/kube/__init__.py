"""A client of Kubernetes that takes and gives plain objects, and the diagnosis of pods.

It may use the store's floor and below, and needs only settings and errors.
"""
