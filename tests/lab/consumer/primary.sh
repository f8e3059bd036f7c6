#!/bin/sh
# The first primary, with the roles that continuity.dr.rights wrote. Run as root inside, after member.sh.
set -eu
cd /opt/continuity-consumer
. ./settings.sh
systemctl start "$unit"
run() { runuser -u postgres -- /usr/lib/postgresql/15/bin/psql -XAqt -v ON_ERROR_STOP=1 -p "$port" "$@"; }
run -d postgres -c "CREATE DATABASE $database"
run -d postgres < roles.sql
run -d postgres < roles.sql # a second time changes nothing
run -d postgres <<SQL
ALTER ROLE orders_repl PASSWORD '$(cat password)';
ALTER ROLE orders_canary PASSWORD '$(cat canary)';
SQL
