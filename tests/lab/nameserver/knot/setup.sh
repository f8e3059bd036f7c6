#!/bin/sh
# Knot DNS as a name server of the zone. Run as root inside: setup.sh secondary. The zone starts anew.
set -eu
cd /opt/continuity-lab
systemctl stop knot.service 2>/dev/null || true
install -o root -g knot -m 0640 "$1.conf" /etc/knot/knot.conf
rm -rf /var/lib/knot/*
knotc conf-check > /dev/null
systemctl enable --quiet knot.service
systemctl restart knot.service
