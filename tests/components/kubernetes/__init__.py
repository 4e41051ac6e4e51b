"""A real Kubernetes control plane: etcd, kube-apiserver and kube-controller-manager, without nodes."""
