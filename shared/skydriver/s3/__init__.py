"""Clients of S3: startup files that workers fetch, and archives of workers' logs.

It may use the store and what stands below that; it needs only settings and errors.
"""
