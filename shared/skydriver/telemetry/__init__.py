"""Logging, traces and metrics. Only `otel` knows OpenTelemetry, and is imported where that is switched on.

It may use the runtime and what stands below that.
"""
