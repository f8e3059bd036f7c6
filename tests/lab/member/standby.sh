#!/bin/sh
# Clone this member's clusters from the peer and follow it. Run as root inside, after clusters.sh.
set -eu
cd /opt/continuity-lab
member=$(hostname)
while read -r _ _ data _ peer peer_port _; do
    rm -rf "$data"
    conninfo="host=$peer port=$peer_port user=replicator application_name=$member passfile=/var/lib/postgresql/.pgpass connect_timeout=3"
    runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_basebackup --pgdata="$data" --dbname="$conninfo" \
        --checkpoint=fast --wal-method=stream --no-password
    # A copied list of synchronous standbys would name this member itself and block every commit after its promotion.
    sed -i -e '/^synchronous_standby_names/d' -e '/^primary_conninfo/d' "$data/postgresql.auto.conf"
    echo "primary_conninfo = '$conninfo'" >> "$data/postgresql.auto.conf"
    runuser -u postgres -- touch "$data/standby.signal"
done < clusters
sed 's/\([^ ]*\).*/postgresql@15-\1.service/' clusters | xargs systemctl start
