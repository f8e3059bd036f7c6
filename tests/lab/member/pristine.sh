#!/bin/sh
# Keep the clusters as they are now, or bring back what was kept. Run as root inside: pristine.sh save|restore
# Bringing back a copy is quicker than cloning, needs no peer, and forgives whatever was done to the data meanwhile.
# Files are written over, not deleted and made: ext4 looks at every inode that was deleted lately before it gives out one,
# and a thousand new files after a thousand deleted ones take seconds of the processor.
set -eu
cd /opt/continuity-lab
kept=/var/lib/continuity-lab
install -d -m 0700 "$kept"

forget() { # everything that a procedure may have left on this member
    systemctl stop 'continuity-*' 2>/dev/null || true
    systemctl reset-failed
    find /var/lib/continuity -mindepth 1 -delete
    iptables -F
    # What was archived under a name of the past must not be taken for the segment that gets the same name again
    pkill -KILL -x pgbackrest || true
    find /var/spool/pgbackrest -mindepth 1 -delete
}

stop_hard() { # name, data directory: the data goes away, so nothing has to be written any more
    unit="postgresql@15-$1.service"
    systemctl kill --signal=KILL "$unit" 2>/dev/null || true
    pkill -KILL -u postgres -f -- "-D $2( |\$)" || true # one that runs outside its unit
    systemctl stop "$unit" 2>/dev/null || true
    rm -rf "/etc/systemd/system/$unit.d" "/run/systemd/system/$unit.d"
    systemctl unmask --quiet "$unit"
    systemctl unmask --quiet --runtime "$unit"
}

[ "$1" = save ] || forget
while read -r name _ data _; do
    unit="postgresql@15-$name.service"
    if [ "$1" = save ]; then
        systemctl stop "$unit"
        rm -rf "${kept:?}/$name"
        cp -a "$data" "$kept/$name"
    else
        stop_hard "$name" "$data"
        rm -rf "$data"[.-]* # what a clone beside it has kept
        rsync -a --checksum --inplace --delete "$kept/$name/" "$data/"
        sed "s/@HOST@/$(hostname)/" postgresql.conf > "/etc/postgresql/15/$name/conf.d/lab.conf"
        echo auto > "/etc/postgresql/15/$name/start.conf"
    fi
done < clusters
systemctl daemon-reload
[ "$1" = save ] || systemctl start 'continuity-backup-*.timer' --all
