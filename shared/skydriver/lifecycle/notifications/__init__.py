"""Those who have subscribed hear of scans: deliveries are written down, then sent, until they are taken.

It may use everything that `lifecycle` may.
"""
