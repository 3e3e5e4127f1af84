#!/bin/sh
# Removes what install.sh installed. Configuration, keys and history stay, unless --purge is given.
#
#   sudo ./uninstall.sh agent|display [--purge]
set -eu
name=${1:-}
case "$name:${2:-}" in
agent: | display: | agent:--purge | display:--purge) ;;
*)
	echo "usage: sudo $0 agent|display [--purge]" >&2
	exit 2
	;;
esac
if [ "$(id -u)" != 0 ]; then
	echo "error: this removes files of /usr/local and /etc" >&2
	echo "hint: sudo $0 $*" >&2
	exit 1
fi
program=pialert-$name
if [ -d /run/systemd/system ]; then
	systemctl disable --quiet --now "$program.service" 2>/dev/null || true
fi
for socket in /etc/systemd/system/"$program"-*.socket; do
	[ -e "$socket" ] || continue
	[ ! -d /run/systemd/system ] || systemctl disable --quiet --now "${socket##*/}" 2>/dev/null || true
	rm -f "$socket"
done
if [ "$name" = agent ]; then
	[ ! -d /run/systemd/system ] || systemctl disable --quiet --now pialert-responder.service 2>/dev/null || true
	[ ! -x "/usr/local/bin/$program" ] || "/usr/local/bin/$program" responder remove || true # nobody stays banned by a program that is gone
	rm -f /etc/systemd/system/pialert-responder.service
fi
rm -f "/etc/systemd/system/$program.service"
[ ! -d /run/systemd/system ] || systemctl daemon-reload
rm -f "/usr/local/bin/$program" /usr/local/share/man/man1/"$program".1.gz /usr/local/share/man/man1/"$program"-*.1.gz \
	"/usr/local/share/man/man5/$program.yaml.5.gz" "/usr/local/share/bash-completion/completions/$program" \
	"/usr/local/share/zsh/site-functions/_$program" "/usr/local/share/fish/vendor_completions.d/$program.fish"
rm -rf "/usr/local/share/doc/$program" "/usr/local/share/$program"
if [ "${2:-}" = --purge ]; then
	rm -rf "/var/lib/pialert/$name" "/etc/pialert/$name.yaml" "/etc/systemd/system/$program.service.d"
	if [ "$name" = agent ]; then
		rm -rf /etc/pialert/rules.d /etc/fail2ban/action.d/pialert.conf /var/lib/pialert/responder /etc/systemd/system/pialert-responder.service.d
		if getent passwd pialert-responder >/dev/null; then userdel pialert-responder; fi
	fi
	rmdir /var/lib/pialert /etc/pialert 2>/dev/null || true
	if getent passwd "$program" >/dev/null; then userdel "$program"; fi
	if [ "$name" = agent ] && getent group pialert-report >/dev/null; then groupdel pialert-report; fi
	echo "$program is removed, with its configuration, keys and state"
else
	echo "$program is removed; its configuration in /etc/pialert and its state in /var/lib/pialert/$name stay"
fi
