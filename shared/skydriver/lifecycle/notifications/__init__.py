"""Notifications of subscribers: deliveries are stored first, then sent until the receiver accepts them.

It may use everything that `lifecycle` may.
"""
