"""What users ask for: a scan, a rescan, more workers, an end. One module per function.

It may use everything that `lifecycle` may.
"""
