#!/bin/sh
# A machine of the peers: the login with all rights (as users of playbooks have it), sshd, postgres' own way between them.
set -eu
cd /opt/continuity-bench
chmod 0755 . && chmod 0755 ./*.sh

id continuity >/dev/null 2>&1 || useradd --create-home --shell /bin/bash continuity
usermod --password '*' continuity
install -d -o continuity -g continuity -m 0700 /home/continuity/.ssh
install -o continuity -g continuity -m 0600 authorized_keys /home/continuity/.ssh/authorized_keys
echo 'continuity ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/bench
chmod 0440 /etc/sudoers.d/bench

install -m 0600 ssh_host_key /etc/ssh/ssh_host_ed25519_key
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nUseDNS no\nMaxStartups 50:30:100\n' > /etc/ssh/sshd_config.d/bench.conf
systemctl enable --quiet ssh.service
systemctl restart ssh.service

install -d -o postgres -g postgres /var/lib/postgresql/15
install -d -o postgres -g postgres -m 0700 /var/lib/postgresql/.ssh
install -o postgres -g postgres -m 0600 postgres_key /var/lib/postgresql/.ssh/id_ed25519
install -o postgres -g postgres -m 0600 postgres_key.pub /var/lib/postgresql/.ssh/authorized_keys
usermod --password '*' --shell /bin/bash postgres

install -o continuity -g continuity -m 0600 tsig.key /home/continuity/tsig.key
chgrp postgres canary lab.conf pg_hba.conf ./*.sh && chmod 0640 canary lab.conf pg_hba.conf

# A server that a tool starts must not end with the session that the tool was started in.
install -m 0644 named.conf /etc/bench-named.conf
install -m 0644 zone.conf /etc/bench-zone.conf
install -o bind -g bind -m 0600 tsig.key /etc/bench-tsig.key
for unit in bench-zone bench-resolver bench-etcd bench-patroni bench-autoctl; do
    install -m 0644 "$unit.service" /etc/systemd/system/
done
while ip route del default; do :; done 2>/dev/null
systemctl daemon-reload
