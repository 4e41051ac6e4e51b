"""Routes of skymaps: arguments, and responses that are made once and found again.

No module imports here what only image `skymap` has, before a product is made.
"""
