"""A cluster in a box: the whole service on a real node, with Knative, for as long as its process lives."""
