# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease a run holds on each member, as shell that runs there.

A lease is a file below ``/var/lib/continuity/<service>/`` on the member: who holds it (run id, owner), under
which epoch, and when it ends on the member's own monotonic clock of this boot. It is defence in depth behind
the claim at the arbiter: every script that changes a member carries ``guard`` and so checks run id, epoch and
expiry in the very script that acts, while it holds the file's lock. The epoch file never goes down.
"""
from __future__ import annotations

import shlex
from dataclasses import dataclass

#: Owned by the login, never inside a data directory and not writable by the database's user.
STATE_DIRECTORY = "/var/lib/continuity"

#: What to do about each refusal a member can give.
NEXT = {
    "stale_epoch": "another run took over since: run assess, then decide again",
    "lease_lost": "another run took over since: run assess, then decide again",
    "lease_expired": "the run was paused for too long: run the verb again",
    "lease_held": "wait for the other run; if it was cut off, continue it with -e continuity_run_id=<its id>",
    "member_busy": "a script of another run is at work on this member: wait for it",
    "no_state_directory": "create /var/lib/continuity on the member, owned by the login",
    "kept_data_present": "look at the data that an earlier rejoin kept, then move it away",
}

#: Exit code of a script whose lease or epoch was refused.
REFUSED = 43

FUNCTIONS = r"""
LC_ALL=C; export LC_ALL; umask 077; trap '' PIPE
continuity_lock() {
  [ -d "$state" ] || mkdir -p "$state" || { echo "@@refused no_state_directory $state"; exit 43; }
  exec 9>>"$state/lock"
  flock -w 3 9 || { echo "@@refused member_busy another script holds $state/lock"; exit 43; }
}
continuity_uptime() { read -r up _ < /proc/uptime; echo "${up%%.*}"; }
continuity_field() { sed -n "s/^$2=//p" "$state/$1" 2>/dev/null | head -n 1; }
continuity_epoch() { e=$(cat "$state/epoch" 2>/dev/null); case "$e" in ''|*[!0-9]*) echo 0;; *) echo "$e";; esac; }
# seconds the lease still lives; a lease of an earlier boot is over
continuity_left() {
  [ "$(continuity_field lease boot)" = "$(cat /proc/sys/kernel/random/boot_id)" ] || { echo 0; return; }
  until=$(continuity_field lease until); left=$(( ${until:-0} - $(continuity_uptime) ))
  [ "$left" -gt 0 ] && echo "$left" || echo 0
}
continuity_write() { printf '%s\n' "$2" > "$state/$1.new" && sync "$state/$1.new" && mv "$state/$1.new" "$state/$1"; }
"""

_ACQUIRE = r"""
continuity_lock
have=$(continuity_epoch); holder=$(continuity_field lease run)
[ "$have" -le "$epoch" ] || { echo "@@refused stale_epoch $have"; exit 43; }
if [ -n "$holder" ] && [ "$holder" != "$run" ] && [ "$(continuity_left)" -gt 0 ]; then
  echo "@@refused lease_held $holder by $(continuity_field lease owner), $(continuity_left) s left"; exit 43
fi
[ "$holder" = "$run" ] && [ "$have" = "$epoch" ] || echo "@@changed"
continuity_write lease "run=$run
owner=$owner
epoch=$epoch
boot=$(cat /proc/sys/kernel/random/boot_id)
until=$(( $(continuity_uptime) + seconds ))" && continuity_write epoch "$epoch" || { echo "@@failed cannot write $state"; exit 1; }
echo "@@held $seconds"
"""

_RELEASE = r"""
continuity_lock
[ "$(continuity_field lease run)" = "$run" ] || { echo "@@released"; exit 0; }
rm -f "$state/lease" && echo "@@changed" && echo "@@released"
"""

_GUARD = r"""
continuity_lock
have=$(continuity_epoch)
[ "$have" -le "$epoch" ] || { echo "@@refused stale_epoch $have"; exit 43; }
[ "$(continuity_field lease run)" = "$run" ] || { echo "@@refused lease_lost $(continuity_field lease run)"; exit 43; }
[ "$(continuity_left)" -gt 0 ] || { echo "@@refused lease_expired $run"; exit 43; }
"""


@dataclass(frozen=True)
class Lease:
    """Whose lease a script acts under."""

    service: str
    run_id: str
    epoch: int
    owner: str = ""


def variables(service: str) -> str:
    """Shell that names the service's state directory; every other function here needs it."""
    return f"state={shlex.quote(f'{STATE_DIRECTORY}/{service}')}\n"


def _header(lease: Lease) -> str:
    values = {"run": lease.run_id, "epoch": str(int(lease.epoch)), "owner": lease.owner}
    return FUNCTIONS + variables(lease.service) + "".join(f"{k}={shlex.quote(v)}\n" for k, v in values.items())


def acquire_script(lease: Lease, seconds: int) -> str:
    """Take or renew the lease for ``seconds``; refused while another run's lease lives or the epoch is older."""
    return _whole(_header(lease) + f"seconds={int(seconds)}\n" + _ACQUIRE)


def release_script(lease: Lease) -> str:
    """Give the lease back; a lease of another run is left alone."""
    return _whole(_header(lease) + _RELEASE)


def guarded(lease: Lease | None, service: str, script: str) -> str:
    """Put the check of run id, epoch and expiry before ``script``, under one lock held until it ends.

    Without a lease (a foreign playbook that runs no verb) the script runs as it is.
    """
    if lease is None:
        return _whole(FUNCTIONS + variables(service) + 'mkdir -p "$state" 2>/dev/null\n' + script)
    return _whole(_header(lease) + _GUARD + script)


def _whole(script: str) -> str:
    """Braces make the shell read all of it before it runs the first line: half a script never runs."""
    return "{\n" + script + "\nexit 0\n}\n"


def refusal(stdout: str) -> tuple[str, str] | None:
    """Return (rule, detail) when the script was refused on the member.

    >>> refusal("@@refused stale_epoch 9")
    ('stale_epoch', '9')
    """
    for line in stdout.splitlines():
        if line.startswith("@@refused "):
            rule, _, detail = line.removeprefix("@@refused ").partition(" ")
            return rule, detail
    return None
