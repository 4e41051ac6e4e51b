"""The `skydriver` command: a service on this machine, scans submitted and followed, results plotted.

It may use everything, and nothing imports it.
"""
