"""The interface's document, its models, and the page that shows it.

It may use everything that `rest` may.
"""
