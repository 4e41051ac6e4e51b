"""The collection `scans`: one document per scan, changed by atomic guarded updates only.

It may use everything that `store` may.
"""
