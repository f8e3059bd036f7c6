#!/bin/sh
# The repositories, from the member that is primary: emptied, then a stanza and a first backup for each cluster that has
# one. backups.sh make|save|restore: save keeps them as they are, restore brings that back. Run as root inside.
set -eu
cd /opt/continuity-lab
kept=/var/lib/continuity-lab/repositories
as_postgres() { runuser -u postgres -- "$@"; }

# A new server archives its first segment beside this, and that takes the lock of the stanza (exit code 50) for a moment
patiently() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        code=0
        "$@" || code=$?
        [ "$code" -eq 50 ] || return "$code"
        sleep 0.5
    done
    return "$code"
}

empty() {
    for repository in /srv/backup/*; do
        find "$repository" -mindepth 1 -delete
        chown postgres:postgres "$repository"
        chmod 0750 "$repository"
    done
}

case $1 in
make)
    empty
    while read -r _ _ _ _ _ _ stanza; do
        [ "$stanza" != - ] || continue
        patiently as_postgres pgbackrest --stanza="$stanza" stanza-create
        for key in 1 2; do
            patiently as_postgres pgbackrest --stanza="$stanza" --repo="$key" --type=full backup
        done
    done < clusters
    ;;
save)
    rm -rf "$kept"
    cp -a /srv/backup "$kept"
    ;;
restore) # written over, not deleted and made anew: see pristine.sh
    rsync -a --checksum --inplace --delete "$kept/" /srv/backup/
    ;;
esac
