"""Kubernetes: a client that takes and gives plain manifests, and what a pod's status says in words."""
