"""Worker clusters: what they are started with, and where they run."""
