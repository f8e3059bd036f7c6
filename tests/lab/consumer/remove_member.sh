#!/bin/sh
# Everything of examples/consumer off a machine; what is not there is no error. Run as root inside.
set -eu
cd /opt/continuity-consumer
. ./settings.sh
systemctl stop 'continuity-15-orders.service' 2>/dev/null || true
systemctl unmask --quiet "$unit"
systemctl stop "$unit" 2>/dev/null || true
pg_dropcluster --stop 15 "$cluster" 2>/dev/null || true
rm -rf "$data" "$data".* "/etc/postgresql/15/$cluster"
systemctl reset-failed "$unit" 2>/dev/null || true
sed -i '/:orders_repl:/d' /var/lib/postgresql/.pgpass
rm -rf "/etc/sudoers.d/$login" /var/lib/continuity/orders-db
chmod o-x /var/lib/continuity
if id "$login" > /dev/null 2>&1; then
    pkill -KILL -u "$login" || true # connections that an earlier run keeps open
    userdel --force --remove "$login" 2>/dev/null || true
fi
systemctl daemon-reload
