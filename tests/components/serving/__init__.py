"""Knative Serving: its programs and manifests, with an ingress of the tests in the place of Kourier."""
