#!/bin/sh
# What the collection's login may do on a member. Run as root inside; a second run changes nothing.
set -eu
cd /opt/continuity-lab
install -d -o continuity -g continuity -m 0750 /var/lib/continuity
visudo --check --quiet --file=sudoers
install -m 0440 sudoers /etc/sudoers.d/continuity
