#!/bin/sh
# Make this member the primary of every cluster: roles, databases, grants. Run as root inside, after clusters.sh.
set -eu
cd /opt/continuity-lab
# Together, not one by one: Debian's start script takes two seconds to believe a cluster that is ready after a tenth.
sed 's/\([^ ]*\).*/postgresql@15-\1.service/' clusters | xargs systemctl start
while read -r _ port _ database _; do
    run() { runuser -u postgres -- /usr/lib/postgresql/15/bin/psql -XAqt -v ON_ERROR_STOP=1 -p "$port" "$@"; }
    run -d postgres <<SQL
CREATE ROLE replicator LOGIN REPLICATION PASSWORD '$(cat replicator)';
CREATE ROLE canary LOGIN CONNECTION LIMIT 10 PASSWORD '$(cat canary)';
CREATE DATABASE $database;
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean) TO replicator;
GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean) TO replicator;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text) TO replicator;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;
SQL
    # The canary's table is made once, by an owner, as docs/canary.md asks; the canary itself only inserts and reads.
    run -d "$database" -c 'GRANT USAGE ON SCHEMA public TO canary' -c "CREATE TABLE continuity_canary (
        run_id text NOT NULL, seq bigint NOT NULL, written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (run_id, seq))" -c 'GRANT SELECT, INSERT ON continuity_canary TO canary'
    # A backup in which no canary was ever seen proves little
    run -d "$database" -c "INSERT INTO continuity_canary (run_id, seq) VALUES ('lab', 1)"
done < clusters
