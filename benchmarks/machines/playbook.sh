#!/bin/sh
# The pair that playbooks move, as root: playbook.sh primary | standby ADDRESS. Debian's own layout, as their users have it.
set -eu
cd /opt/continuity-bench
port=5446 data=/var/lib/postgresql/15/playbook unit=postgresql@15-playbook.service
as() { runuser -u postgres -- "$@"; }
systemctl stop "$unit" 2> /dev/null || true
systemctl reset-failed "$unit" 2> /dev/null || true
pg_dropcluster --stop 15 playbook 2> /dev/null || rm -rf "$data" /etc/postgresql/15/playbook
pg_createcluster --port "$port" --datadir "$data" 15 playbook -- --data-checksums > /dev/null
sed "s/@HOST@/$(hostname)/" lab.conf > /etc/postgresql/15/playbook/conf.d/lab.conf
echo manual > /etc/postgresql/15/playbook/start.conf
systemctl daemon-reload
cat pg_hba.conf > /etc/postgresql/15/playbook/pg_hba.conf
if [ "$1" = primary ]; then
    systemctl start "$unit"
    as ./shop.sh "$port"
else
    rm -rf "$data"
    install --directory --mode=700 --owner=postgres --group=postgres "$data" # what is above it may be root's
    as /usr/lib/postgresql/15/bin/pg_basebackup --pgdata="$data" --write-recovery-conf --checkpoint=fast --wal-method=stream \
        --dbname="host=$2 port=$port user=postgres application_name=$(hostname)"
    systemctl start "$unit"
fi
