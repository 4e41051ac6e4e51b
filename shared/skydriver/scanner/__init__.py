"""The scanner server of a scan: its image's tag, its command line and environment, and where it runs."""
