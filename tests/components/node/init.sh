#!/bin/bash
# The first process of a node, in namespaces of its own. What it mounts, and all that it runs, ends with it.
#   init.sh ROOT ADDRESS RESOLV_CONF
set -eu
root=$1 address=$2 resolv_conf=$3

mount --make-rprivate /
mount -t overlay programs -o "lowerdir=$root/usr:/usr" /usr
# Paths that cannot be chosen: /run/containerd, /var/lib/cni, /var/lib/kubelet/device-plugins, /var/log/containers.
for folder in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mount --bind "$resolv_conf" /etc/resolv.conf
hostname node1

ip link set lo up
# A pair with both ends in here, since not every kernel has dummies: the node's address is on one of them. The
# default route leads nowhere, but lets the address of a Service be routed before it is translated.
ip link add node0 type veth peer name node0p
ip link set node0p up
ip addr add "$address/24" dev node0
ip link set node0 up
ip route add default dev node0
echo 1 > /proc/sys/net/ipv4/ip_forward
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables; fi

touch /run/node-is-up
sleep infinity &
wait $!
