#!/bin/sh
# repmgr's pair, as postgres: repmgr.sh configure|primary|standby|rejoin|start|stop [upstream address]
set -eu
cd /opt/continuity-bench
port=5442 data=/var/lib/postgresql/15/repmgr conf=/var/lib/postgresql/repmgr.conf
bin=/usr/lib/postgresql/15/bin
own=$(ip -4 -o addr | sed -n 's/.*inet \(203\.0\.113\.14[0-9]\).*/\1/p')
conninfo="host=$own port=$port user=repmgr dbname=repmgr connect_timeout=2"

case $1 in
configure)
    cat > "$conf" <<CONF
node_id=${own##*.}
node_name=$(hostname)
conninfo='$conninfo'
data_directory='$data'
pg_bindir='$bin'
log_level=INFO
ssh_options='-q -o ConnectTimeout=10 -o StrictHostKeyChecking=no'
CONF
    ;;
primary)
    ./cluster.sh "$data" "$port"
    "$bin/pg_ctl" start -w -D "$data" -l "$data.log" > /dev/null
    "$bin/createuser" -h /var/run/postgresql -p "$port" --superuser repmgr
    "$bin/createdb" -h /var/run/postgresql -p "$port" --owner repmgr repmgr
    ./shop.sh "$port"
    repmgr -f "$conf" primary register
    ;;
standby)
    "$bin/pg_ctl" stop -D "$data" -m immediate > /dev/null 2>&1 || true
    rm -rf "$data"
    repmgr -f "$conf" -h "$2" -p "$port" -U repmgr -d repmgr standby clone --fast-checkpoint
    sed -i "s/^cluster_name.*/cluster_name = '$(hostname)'/" "$data/postgresql.conf"
    "$bin/pg_ctl" start -w -D "$data" -l "$data.log" > /dev/null
    repmgr -f "$conf" standby register --force
    ;;
start) "$bin/pg_ctl" status -D "$data" > /dev/null || "$bin/pg_ctl" start -w -D "$data" -l "$data.log" > /dev/null ;;
stop) "$bin/pg_ctl" stop -w -D "$data" -m fast > /dev/null ;;
esac
