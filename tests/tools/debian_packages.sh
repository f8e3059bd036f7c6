#!/bin/sh
# Installs the Debian packages that a group of commands needs, where the machine is Debian and the user is root.
#
#   debian_packages.sh python    a Python that can make virtual environments
#   debian_packages.sh lab       what the lab's machines are reached with
#   debian_packages.sh tests     programs that tests start themselves: named, knotd, dig, postgres, ssh, ...
#
# Nothing that is already there is touched. No service is started or left enabled: tests run their own copies on their own
# ports, and a name server or database that appears on somebody's machine because tests were run would be a nasty surprise.
set -eu

group=${1:?usage: debian_packages.sh python|lab|tests}

missing=
need() {  # need <package> <test that succeeds where it is not missing>
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
program() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1"; }
postgresql() { ls /usr/lib/postgresql/*/bin/postgres || program postgres; }

case $group in
python)
    need python3-venv python3 -c 'import ensurepip, venv'
    ;;
lab)
    need openssh-client program ssh-keygen
    ;;
tests)
    need bind9 program named
    need knot program knotd
    need bind9-dnsutils program dig
    need bind9-utils program tsig-keygen
    need postgresql postgresql
    need pgbackrest program pgbackrest
    need openssh-client program ssh
    need openssl program openssl
    need iptables program iptables
    need nftables program nft
    need fence-agents program fence_dummy
    need iproute2 program ip
    need git program git
    need sudo program visudo
    need shellcheck program shellcheck
    ;;
*)
    echo "debian_packages.sh: no group $group" >&2
    exit 2
    ;;
esac
[ -n "$missing" ] || exit 0

if [ ! -e /etc/debian_version ] || [ "$(id -u)" -ne 0 ]; then
    echo "Missing on this machine:$missing" >&2
    echo "Install what these Debian packages hold, for example: sudo apt-get install$missing" >&2
    exit 1
fi

echo "Installing Debian packages:$missing"
policy=/usr/sbin/policy-rc.d
kept=$policy.kept-by-continuity
refuse='#!/bin/sh
exit 101'

restore() {
    if [ -e "$kept" ]; then mv -f "$kept" "$policy"; else rm -f "$policy"; fi
}
[ ! -e "$policy" ] || mv "$policy" "$kept"
trap restore EXIT
trap 'exit 130' INT TERM
printf '%s\n' "$refuse" >"$policy"
chmod 755 "$policy"

log=${TMPDIR:-/tmp}/continuity-apt.$$.log
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of packages
if ! { apt-get install -qq -y --no-install-recommends $missing ||
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; }; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    echo "apt-get failed; try: apt-get install$missing" >&2
    exit 1
fi
rm -f "$log"

# Enabled by their packages, they would start with the next boot.
keep_off() {  # keep_off <package> <its unit>
    case "$missing " in *" $1 "*) ;; *) return 0 ;; esac
    if program systemctl >/dev/null; then
        systemctl disable "$2.service" >/dev/null 2>&1 || true
    else
        deb-systemd-helper disable "$2.service" >/dev/null 2>&1 || true
    fi
    update-rc.d "$2" disable >/dev/null 2>&1 || true
}
keep_off bind9 named
keep_off knot knot
keep_off postgresql postgresql
