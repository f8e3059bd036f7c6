#!/bin/sh
# The first replica: standby.sh NAME PRIMARY_ADDRESS. Run as root inside, after primary.sh on the other machine.
set -eu
cd /opt/continuity-consumer
. ./settings.sh
rm -rf "$data"
upstream="host=$2 port=$port user=orders_repl application_name=$1 connect_timeout=3"
runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_basebackup --pgdata="$data" --dbname="$upstream" \
    --checkpoint=fast --wal-method=stream --no-password
echo "primary_conninfo = '$upstream'" >> "$data/postgresql.auto.conf"
runuser -u postgres -- touch "$data/standby.signal"
systemctl start "$unit"
