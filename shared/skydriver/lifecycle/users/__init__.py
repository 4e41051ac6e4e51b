"""What users ask for: a scan, a rescan, more workers, an end.

It may use everything that `lifecycle` may.
"""
