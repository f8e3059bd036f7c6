#!/bin/sh
# Many small clusters, as root: scale.sh primary COUNT | standby COUNT ADDRESS | start COUNT | stop COUNT | state COUNT |
# rows COUNT RUN
set -eu
cd /opt/continuity-bench
bin=/usr/lib/postgresql/15/bin
numbers=$(seq -f %02g 1 "$2")
units=$(for n in $numbers; do echo "postgresql@15-s$n.service"; done)
# shellcheck disable=SC2086  # a list of units
each() { systemctl "$@" $units; }
# Ten at a time: fifty servers that start at once leave nobody time to answer.
in_tens() { echo "$units" | xargs -n 10 systemctl "$@"; }
as() { runuser -u postgres -- "$@"; }
ask() { as "$bin/psql" -XAqt -h /var/run/postgresql -p "60$1" -d postgres -c "$2"; }

forget() { # what a broken run has left
    each unmask --quiet
    for n in $numbers; do
        pg_dropcluster --stop 15 "s$n" 2> /dev/null || true
        rm -rf "/var/lib/postgresql/15/s$n" "/etc/postgresql/15/s$n"
    done
    install -d -o continuity -g continuity -m 0750 /var/lib/continuity
    find /var/lib/continuity -mindepth 1 -delete
}

configure() { # around the data, whether they are there already or not
    pg_createcluster --port "60$1" --start-conf manual 15 "s$1" -- --data-checksums --no-sync --wal-segsize=1 > /dev/null
    sed -e "s/@HOST@/$(hostname)/" -e 's/^shared_buffers.*/shared_buffers = 1MB/' lab.conf > "/etc/postgresql/15/s$1/conf.d/lab.conf"
    # Nothing of its own to do beside replication: a hundred servers share the machine with what is measured.
    cat >> "/etc/postgresql/15/s$1/conf.d/lab.conf" << 'SMALL'
autovacuum = off
bgwriter_lru_maxpages = 0
max_worker_processes = 0
max_parallel_workers = 0
max_wal_size = 32MB
min_wal_size = 2MB
wal_keep_size = 16MB
SMALL
    cat > "/etc/postgresql/15/s$1/pg_hba.conf" <<'HBA'
local all         all                      peer
host  postgres    canary  all              trust
host  all         all     203.0.113.128/26 trust
host  replication all     203.0.113.128/26 trust
HBA
}

case $1 in
primary)
    forget
    for n in $numbers; do configure "$n"; done
    systemctl daemon-reload
    in_tens start
    for n in $numbers; do
        ask "$n" "CREATE ROLE replicator LOGIN REPLICATION;
            GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),
            pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;
            CREATE ROLE canary LOGIN;
            CREATE TABLE continuity_canary (run_id text, seq bigint, PRIMARY KEY (run_id, seq));
            GRANT SELECT, INSERT ON continuity_canary TO canary"
    done
    ;;
standby)
    forget
    for n in $numbers; do
        data=/var/lib/postgresql/15/s$n
        as "$bin/pg_basebackup" --pgdata="$data" --write-recovery-conf --checkpoint=fast --wal-method=stream --no-sync \
            --dbname="host=$3 port=60$n user=replicator application_name=$(hostname)"
        as sh -c "cd $data && echo \"include_dir = 'conf.d'\" > postgresql.conf && touch pg_hba.conf pg_ident.conf"
        configure "$n"
    done
    systemctl daemon-reload
    in_tens start
    ;;
start) in_tens start ;;
stop) each stop ;;
rows) # the numbers of a run's rows, one line a cluster, in their order
    for n in $numbers; do
        ask "$n" "SELECT coalesce(string_agg(seq::text, ','), '-') FROM continuity_canary WHERE run_id = '$3'"
    done
    ;;
state) # one word a cluster: streaming (a primary with its standby), alone, standby; bare: of an earlier make
    for n in $numbers; do
        ask "$n" "SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' WHEN to_regclass('continuity_canary') IS NULL
            THEN 'bare' WHEN EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming') THEN 'streaming' ELSE 'alone' END" || echo down
    done
    ;;
esac
