"""How one function runs: serving it, clients per event loop, its secrets, the local job host's client.

It may use settings, errors and the model.
"""
