"""One module for each group of commands; what is heavy is imported only when a command runs."""
