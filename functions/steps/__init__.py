"""The lifecycle steps, one function each, called by CloudEvents."""
