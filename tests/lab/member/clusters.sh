#!/bin/sh
# Both clusters of a member, empty and configured, not started. What was there before is dropped.
# ./clusters has one line a cluster: name port data_directory database peer_address peer_port stanza (- for no backups)
set -eu
cd /opt/continuity-lab
umask 077
printf '*:*:*:replicator:%s\n' "$(cat replicator)" > /var/lib/postgresql/.pgpass
chown postgres:postgres /var/lib/postgresql/.pgpass
umask 022

install -m 0644 pgbackrest.conf /etc/pgbackrest.conf
while read -r name port data database _ _ stanza; do
    systemctl unmask --quiet "postgresql@15-$name.service"
    pg_dropcluster --stop 15 "$name" 2>/dev/null || rm -rf "$data" "/etc/postgresql/15/$name"
    install -d -o postgres -g postgres "$(dirname "$data")"
    pg_createcluster --port "$port" --datadir "$data" 15 "$name" -- --data-checksums > /dev/null
    sed "s/@HOST@/$(hostname)/" postgresql.conf > "/etc/postgresql/15/$name/conf.d/lab.conf"
    [ "$stanza" = - ] || sed "s/@STANZA@/$stanza/" archive.conf > "/etc/postgresql/15/$name/conf.d/lab_archive.conf"
    sed "s/@DATABASE@/$database/" pg_hba.conf > "/etc/postgresql/15/$name/pg_hba.conf"
done < clusters
systemctl daemon-reload
