"""CloudEvents: what is said between functions, and how it is put into and taken off the wire."""
