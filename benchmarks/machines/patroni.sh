#!/bin/sh
# Patroni's configuration, as postgres; everything that is not the lab's own setting is Patroni's default.
set -eu
cd /opt/continuity-bench
own=$(ip -4 -o addr | sed -n 's/.*inet \(203\.0\.113\.14[0-9]\).*/\1/p')
rm -rf /var/lib/postgresql/15/patroni
cat > /var/lib/postgresql/patroni.yml <<YAML
scope: bench
name: $(hostname)
restapi: {listen: "$own:8008", connect_address: "$own:8008"}
etcd3: {host: "203.0.113.143:2379"}
bootstrap:
  dcs: {}
  initdb: [data-checksums]
postgresql:
  listen: "*:5443"
  connect_address: "$own:5443"
  data_dir: /var/lib/postgresql/15/patroni
  bin_dir: /usr/lib/postgresql/15/bin
  use_pg_rewind: true
  basebackup: [checkpoint: fast]
  parameters:
    unix_socket_directories: /var/run/postgresql
$(sed -n "s/@HOST@/$(hostname)/; s/ *#.*//; s/^\([a-z_]*\) = \(.*\)/    \1: \2/p" lab.conf | grep -v -e listen_addresses -e log_line_prefix -e 'cluster_name' -e wal_keep_size)
  pg_hba:
    - local all all peer
    - host all all samehost trust
    - host all all 203.0.113.128/26 trust
    - host replication all samehost trust
    - host replication all 203.0.113.128/26 trust
    - host accounts canary 198.51.100.0/24 scram-sha-256
    - host accounts canary 203.0.113.0/24 scram-sha-256
  authentication:
    superuser: {username: postgres}
    replication: {username: replicator}
    rewind: {username: postgres}
YAML
