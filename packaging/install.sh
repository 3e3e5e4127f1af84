#!/bin/sh
# Installs one of the programs on a system without .deb and .rpm. Run it from the unpacked archive.
#
#   sudo ./install.sh agent|display          uninstall.sh takes it away again
set -eu
name=${1:-}
case "$name" in
agent | display) ;;
*)
	echo "usage: sudo $0 agent|display" >&2
	exit 2
	;;
esac
if [ "$(id -u)" != 0 ]; then
	echo "error: this installs into /usr/local and /etc" >&2
	echo "hint: sudo $0 $name" >&2
	exit 1
fi
cd "$(dirname "$0")"
program=pialert-$name
install -D -m 0755 "$program" "/usr/local/bin/$program"
[ -e "/etc/pialert/$name.yaml" ] || install -D -m 0644 "$name.yaml" "/etc/pialert/$name.yaml"
for page in man/"$program"*.1.gz; do install -D -m 0644 "$page" "/usr/local/share/man/man1/$(basename "$page")"; done
install -D -m 0644 "man/$program.yaml.5.gz" "/usr/local/share/man/man5/$program.yaml.5.gz"
install -D -m 0644 "completion/$program.bash" "/usr/local/share/bash-completion/completions/$program"
install -D -m 0644 "completion/_$program" "/usr/local/share/zsh/site-functions/_$program"
install -D -m 0644 "completion/$program.fish" "/usr/local/share/fish/vendor_completions.d/$program.fish"
if [ "$name" = agent ]; then
	install -D -m 0644 read-all-logs.conf "/usr/local/share/$program/read-all-logs.conf"
	install -D -m 0644 rules/firewall.yaml "/usr/local/share/$program/rules/firewall.yaml"
	if [ -d /etc/fail2ban/action.d ] && [ ! -e /etc/fail2ban/action.d/pialert.conf ]; then
		install -m 0644 fail2ban/pialert.conf /etc/fail2ban/action.d/pialert.conf
	fi
fi
install -d "/usr/local/share/doc/$program"
cp -r README.md CONTRIBUTING.md CHANGELOG.md LICENSE docs "/usr/local/share/doc/$program/"
if ! getent passwd "$program" >/dev/null; then
	useradd --system --home-dir "/var/lib/pialert/$name" --shell /usr/sbin/nologin "$program"
fi
sed -n "s/^g \([^ ]*\) .*/\1/p" "$program.conf" | while read -r group; do
	getent group "$group" >/dev/null || groupadd --system "$group"
done
sed -n "s/^m $program //p" "$program.conf" | while read -r group; do
	getent group "$group" >/dev/null || groupadd --system "$group"
	usermod -aG "$group" "$program"
done
# The configuration may hold secrets: the service reads it through its group, and others do not.
chgrp "$program" "/etc/pialert/$name.yaml"
[ "$name" = agent ] || chmod o= "/etc/pialert/$name.yaml"
mkdir -p "/var/lib/pialert/$name"
chown "$program:$program" "/var/lib/pialert/$name"
chmod 0700 "/var/lib/pialert/$name"
if [ "$name" = agent ] && ! getent passwd pialert-responder >/dev/null; then
	useradd --system --home-dir /var/lib/pialert/responder --shell /usr/sbin/nologin pialert-responder
fi
if [ -d /run/systemd/system ]; then
	sed 's#/usr/bin/#/usr/local/bin/#' "$program.service" >"/etc/systemd/system/$program.service"
	for socket in "$program"-*.socket; do
		[ ! -e "$socket" ] || install -m 0644 "$socket" "/etc/systemd/system/$socket"
	done
	if [ "$name" = agent ]; then # started by who wants it
		sed 's#/usr/bin/#/usr/local/bin/#' pialert-responder.service >/etc/systemd/system/pialert-responder.service
	fi
	systemctl daemon-reload
	[ "$name" != agent ] || systemctl try-restart pialert-responder.service || true
	systemctl enable --quiet "$program.service"
	systemctl restart "$program.service" || true
fi
case "$name" in
agent) echo "$program is installed; pair it next: sudo $program pair" ;;
display) echo "$program is installed; pair it next: on a server, run sudo pialert-agent pair, and paste here the line that it prints" ;;
esac
