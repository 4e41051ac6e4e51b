#!/bin/sh
# Lay a pool's root out in memory, over the packages that were built, and run its condor_master there.
# Run by pool.py as the first process of mount and process namespaces: mounts and daemons end with it.
# Arguments: the built root; the pool's folder (root/, log/, config); and for the jobs the project's library, the
# tests' Python, and its packages: those that are compiled fit no other Python.
set -eu
image=$1 pool=$2 library=$3 python=$4 packages=$5

mount -t tmpfs -o mode=755 pool "$pool/root"
cd "$pool/root"
for name in bin sbin lib lib64; do cp -P "$image/$name" .; done
cp -a "$image/etc" .
mkdir -p usr dev proc sys run/lock/condor run/condor skydriver python packages home/alice root tmp \
    var/log/condor var/lib/condor/execute var/spool/condor etc/condor/tokens.d etc/condor/passwords.d
ln -s ../run var/run
ln -s ../run/lock var/lock
chmod 1777 tmp run/lock
chmod 700 etc/condor/tokens.d etc/condor/passwords.d

mount --bind -o ro "$image/usr" usr
mount --bind -o ro "$library" skydriver
mount --bind -o ro "$python" python
mount --bind -o ro "$packages" packages
cat > pilot-python <<'END'
#!/bin/sh
export PYTHONHOME=/python PYTHONPATH=/skydriver:/packages LD_LIBRARY_PATH=/python/lib
exec /python/bin/python3 "$@"
END
chmod 755 pilot-python
mount --bind "$pool/log" var/log/condor
mount --rbind /dev dev
mount -t proc proc proc
mount -t sysfs sysfs sys

echo "127.0.0.1 localhost $(hostname)" > etc/hosts
cp "$pool/config" etc/condor/config.d/99-pool
chroot . chown condor:condor /run/condor /run/lock/condor /var/log/condor /var/lib/condor \
    /var/lib/condor/execute /var/spool/condor
chroot . chown alice:alice /home/alice
# Not by exec: whoever changes its user loses the signal that it gets when its parent dies (prctl(2)), and
# condor_master does.
chroot . condor_master -f &
wait
