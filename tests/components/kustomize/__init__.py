"""kustomize itself, which turns the overlays of `knative/` into what a cluster gets."""
