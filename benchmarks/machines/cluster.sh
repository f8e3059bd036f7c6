#!/bin/sh
# A cluster in a directory of its own, as postgres: cluster.sh DIRECTORY PORT [EXTRA SETTING]...
# The settings are the lab's, the link is trusted, clients come as canary with a password: as on the lab's own members.
set -eu
cd /opt/continuity-bench
data=$1 port=$2
shift 2
bin=/usr/lib/postgresql/15/bin
[ ! -e "$data/postmaster.pid" ] || "$bin/pg_ctl" stop -D "$data" -m immediate > /dev/null || true
rm -rf "$data"
"$bin/initdb" --pgdata="$data" --data-checksums --auth=peer > /dev/null
sed "s/@HOST@/$(hostname)/" lab.conf >> "$data/postgresql.conf"
{
    echo "port = $port"
    echo "unix_socket_directories = '/var/run/postgresql'"
    for setting in "$@"; do echo "$setting"; done
} >> "$data/postgresql.conf"
cat pg_hba.conf > "$data/pg_hba.conf"
