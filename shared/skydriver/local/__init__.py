"""The whole service on one machine: what Knative, Kubernetes, HTCondor, MongoDB and S3 do in a deployment.

It reads the same manifests that are deployed (`knative/`). It may use everything, and only the command line
imports it.
"""
