"""Knative on one machine: the manifests' reader, Broker, PingSources, ingress, and the functions themselves.

It may use everything that `local` may.
"""
