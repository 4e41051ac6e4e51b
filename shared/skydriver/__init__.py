"""SkyDriver on Knative: the library that every function shares."""
