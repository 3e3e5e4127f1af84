# Process 1 of a machine: furnishes its own namespaces, says "ready", and ends with its input.
# $1 is the machine's folder on the outside.
set -eu
dir=$1

mount --make-rprivate /
hostname vps

# The server's addresses, and every documentation address as a source for the attackers: the
# kernel takes a whole local route as its own ("AnyIP").
ip link set lo up
ip address add 192.0.2.1/32 dev lo
ip route add local 198.51.100.0/24 dev lo
ip route add local 203.0.113.0/24 dev lo
if [ -e /proc/sys/net/ipv6 ]; then
	sysctl -q net.ipv6.ip_nonlocal_bind=1
	ip -6 address add 2001:db8::1/128 dev lo
	ip -6 route add local 2001:db8:bad::/48 dev lo
fi

# A /dev of its own, so that /dev/log is its own.
mkdir "$dir/dev"
mount -t tmpfs -o mode=755 tmpfs "$dir/dev"
for node in null zero full random urandom tty; do
	touch "$dir/dev/$node"
	mount --bind "/dev/$node" "$dir/dev/$node"
done
mkdir "$dir/dev/pts" "$dir/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$dir/dev/pts"
ln -s pts/ptmx "$dir/dev/ptmx"
ln -s /proc/self/fd "$dir/dev/fd"
mount --move "$dir/dev" /dev

mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/lock

# Configuration, pages and logs stand where Debian has them, but are the test's.
for place in etc/ssh etc/apache2 var/log var/www; do
	mount --bind "$dir/$place" "/$place"
done
for file in etc/passwd etc/shadow etc/machine-id etc/pam.d/common-auth; do
	mount --bind "$dir/$file" "/$file"
done
mount --bind "$dir/boot_id" /proc/sys/kernel/random/boot_id

echo ready
exec 3<&0
cat <&3 >/dev/null &
wait
