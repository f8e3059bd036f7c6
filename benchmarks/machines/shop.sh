#!/bin/sh
# What the clients need on a primary, as postgres: shop.sh PORT. A second run changes nothing.
set -eu
cd /opt/continuity-bench
run() { /usr/lib/postgresql/15/bin/psql -XAqt -v ON_ERROR_STOP=1 -h /var/run/postgresql -p "$port" "$@"; }
port=$1
run -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'accounts'" | grep -q 1 || run -d postgres -c 'CREATE DATABASE accounts'
run -d postgres -c "SELECT 1 FROM pg_roles WHERE rolname = 'canary'" | grep -q 1 ||
    run -d postgres -c "CREATE ROLE canary LOGIN CONNECTION LIMIT 10 PASSWORD '$(cat canary)'"
run -d accounts -c "CREATE TABLE IF NOT EXISTS continuity_canary (
    run_id text NOT NULL, seq bigint NOT NULL, written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, seq))" -c 'GRANT USAGE ON SCHEMA public TO canary' -c 'GRANT SELECT, INSERT ON continuity_canary TO canary' 2>/dev/null
