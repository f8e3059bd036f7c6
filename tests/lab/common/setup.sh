#!/bin/sh
# Every machine of the lab: the login, sshd and its host key, no way out. Run as root inside; a second run changes nothing.
set -eu
cd /opt/continuity-lab

id continuity >/dev/null 2>&1 || useradd --create-home --shell /bin/bash continuity
usermod --password '*' continuity # no password, but not locked: sshd refuses locked accounts even with a key
install -d -o continuity -g continuity -m 0700 /home/continuity/.ssh
install -o continuity -g continuity -m 0600 authorized_keys /home/continuity/.ssh/authorized_keys

install -m 0600 ssh_host_key /etc/ssh/ssh_host_ed25519_key
cat > /etc/ssh/sshd_config.d/lab.conf <<'CONFIG'
HostKey /etc/ssh/ssh_host_ed25519_key
PasswordAuthentication no
UseDNS no
MaxSessions 50
MaxStartups 50:30:100
CONFIG
systemctl enable --quiet ssh.service
systemctl restart ssh.service

# Some engines give even internal networks a default route. Nothing may leave the lab, not even towards this machine's own
# addresses, and the engine sets routes at every start: so they go at every boot.
cat > /etc/systemd/system/lab-no-way-out.service <<'UNIT'
[Unit]
Description=Remove the default route
Before=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'while ip route del default; do :; done 2>/dev/null; true'

[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --quiet --now lab-no-way-out.service
