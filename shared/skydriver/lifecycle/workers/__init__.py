"""The workers' life: they are requested, started, observed and stopped, and their logs are kept.

It may use everything that `lifecycle` may.
"""
