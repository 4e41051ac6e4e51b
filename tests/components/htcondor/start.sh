#!/bin/sh
# Lay a pool's root out in memory, over the packages that were built, and become its condor_master.
# Run by pool.py in mount and process namespaces of its own: mounts and daemons end with those.
# Arguments: the built root; the pool's folder (root/, log/, config); the project's library, for the jobs.
set -eu
image=$1 pool=$2 library=$3

mount -t tmpfs -o mode=755 pool "$pool/root"
cd "$pool/root"
for name in bin sbin lib lib64; do cp -P "$image/$name" .; done
cp -a "$image/etc" .
mkdir -p usr dev proc sys run/lock/condor run/condor skydriver home/alice root tmp \
    var/log/condor var/lib/condor/execute var/spool/condor etc/condor/tokens.d etc/condor/passwords.d
ln -s ../run var/run
ln -s ../run/lock var/lock
chmod 1777 tmp run/lock
chmod 700 etc/condor/tokens.d etc/condor/passwords.d

mount --bind -o ro "$image/usr" usr
mount --bind -o ro "$library" skydriver
mount --bind "$pool/log" var/log/condor
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys

echo "127.0.0.1 localhost $(hostname)" > etc/hosts
cp "$pool/config" etc/condor/config.d/99-pool
chroot . chown condor:condor /run/condor /run/lock/condor /var/log/condor /var/lib/condor \
    /var/lib/condor/execute /var/spool/condor
chroot . chown alice:alice /home/alice
exec chroot . condor_master -f
