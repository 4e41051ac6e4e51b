"""Clients of S3: startup files that workers fetch, and archives of workers' logs.

It may use the store's floor and below, and needs only settings and errors.
"""
