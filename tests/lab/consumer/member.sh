#!/bin/sh
# A machine as its administrator prepares it for examples/consumer: login, rights, an empty cluster. Run as root inside:
# member.sh NAME. Beside it: sudoers and pg_hba.conf as continuity.dr.rights wrote them, authorized_keys, password.
set -eu
cd /opt/continuity-consumer
. ./settings.sh
sh ./remove_member.sh

useradd --create-home --shell /bin/sh "$login"
usermod --password '*' "$login" # no password, but not locked: sshd refuses locked accounts even with a key
install -d -o "$login" -g "$login" -m 0700 "/home/$login/.ssh"
install -o "$login" -g "$login" -m 0600 authorized_keys "/home/$login/.ssh/authorized_keys"
visudo --check --quiet --strict --file=sudoers
install -m 0440 sudoers "/etc/sudoers.d/$login"
# The machine is shared with the lab's own login: each owns the directories of its services, and nobody the one above.
chmod o+x /var/lib/continuity
install -d -o "$login" -g "$login" -m 0750 /var/lib/continuity/orders-db

umask 077
printf '*:%s:*:orders_repl:%s\n' "$port" "$(cat password)" >> /var/lib/postgresql/.pgpass
chown postgres:postgres /var/lib/postgresql/.pgpass
umask 022
install -d -o postgres -g postgres "$(dirname "$data")"
pg_createcluster --port "$port" --datadir "$data" 15 "$cluster" -- --data-checksums > /dev/null
cat > "/etc/postgresql/15/$cluster/conf.d/consumer.conf" <<CONF
cluster_name = '$1'
listen_addresses = '*'
wal_keep_size = 256MB
wal_retrieve_retry_interval = 500ms
shared_buffers = 16MB
max_connections = 30
max_wal_size = 128MB
max_logical_replication_workers = 0
CONF
# The controller reaches both site networks.
for network in 198.51.100.0/24 203.0.113.0/24; do
    sed -n "s,^# \(host .*\) ADDRESS-OF-THE-CONTROLLER ,\1 $network ,p" pg_hba.conf
done | cat - pg_hba.conf > all
{ echo 'local all postgres peer'; cat all; } > "/etc/postgresql/15/$cluster/pg_hba.conf"
rm all
systemctl daemon-reload
