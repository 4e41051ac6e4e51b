"""A client of Kubernetes that takes and gives plain objects, and the diagnosis of pods.

It may use the store and what stands below that; it needs only settings, errors and the model.
"""
