"""What is stored and sent: documents, phases, the transition table, reason codes, requests and reports.

It imports nothing else of the project.
"""
