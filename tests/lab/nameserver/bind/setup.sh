#!/bin/sh
# BIND 9 as a name server of the zone. Run as root inside: setup.sh primary|secondary. The zone starts anew.
set -eu
cd /opt/continuity-lab
systemctl stop named.service 2>/dev/null || true
install -o root -g bind -m 0640 "$1.conf" /etc/bind/named.conf
rm -f /var/lib/bind/shop.example.zone*
if [ "$1" = primary ]; then
    install -o bind -g bind -m 0644 shop.example.zone /var/lib/bind/shop.example.zone
fi
install -d -o root -g bind -m 0775 /var/lib/bind
named-checkconf -z /etc/bind/named.conf > /dev/null
systemctl enable --quiet named.service
systemctl restart named.service
