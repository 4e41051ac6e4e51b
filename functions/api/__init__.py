"""The REST routes, one function each."""
