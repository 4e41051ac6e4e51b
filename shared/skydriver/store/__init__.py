"""MongoDB: one module or room per collection. Only this room knows queries.

It may use telemetry and what stands below that.
"""
