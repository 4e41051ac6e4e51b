"""A real Kubernetes node: containerd, kubelet and kube-proxy, in namespaces that end with one process."""
