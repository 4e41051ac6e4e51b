"""Knative Eventing: its broker over in-memory channels, its ping source, their controllers and webhooks."""
