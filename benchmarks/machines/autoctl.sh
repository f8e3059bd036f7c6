#!/bin/sh
# pg_auto_failover's nodes, as postgres: autoctl.sh monitor|node
set -eu
cd /opt/continuity-bench
export PATH=/usr/lib/postgresql/15/bin:$PATH
own=$(ip -4 -o addr | sed -n 's/.*inet \(203\.0\.113\.14[0-9]\).*/\1/p')
data=/var/lib/postgresql/15/autoctl
[ ! -e "$data/postmaster.pid" ] || pg_ctl stop -D "$data" -m immediate > /dev/null || true
rm -rf "$data" "$HOME/.config/pg_autoctl" "$HOME/.local/share/pg_autoctl" "$data-backup" "${data%/*}/backup"
if [ "$1" = monitor ]; then
    pg_autoctl create monitor --pgdata "$data" --pgport 5445 --hostname "$own" --auth trust --no-ssl
    echo 'host all all 203.0.113.128/26 trust' >> "$data/pg_hba.conf"
else
    pg_autoctl create postgres --pgdata "$data" --pgport 5444 --hostname "$own" --name "$(hostname)" --auth trust --no-ssl \
        --monitor postgres://autoctl_node@203.0.113.143:5445/pg_auto_failover --dbname accounts
fi
