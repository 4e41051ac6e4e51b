"""Packages of npm that tests use, as the lock file beside this names them by their hashes."""
