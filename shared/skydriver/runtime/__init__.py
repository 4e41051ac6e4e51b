"""What a function needs to run: its secrets. It knows settings and errors only."""
