"""A real HTCondor pool on one machine, in a private root and private namespaces."""
