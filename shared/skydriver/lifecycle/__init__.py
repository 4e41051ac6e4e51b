"""What happens to a scan, step by step: plain async functions that know no HTTP and parse no CloudEvents.

Each of them reads the scan, acts on what is true now, and can be repeated. It may use the scanner, workers,
eventing and what stands below those; `rest` is its neighbour.
"""
