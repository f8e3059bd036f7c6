# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease a run holds on each member, as shell that runs there.

A lease is a file below ``/var/lib/continuity/<service>/`` on the member: who holds it (run id, owner), under
which epoch, and when it ends on the member's own monotonic clock of this boot. It is defence in depth behind
the claim at the arbiter: every script that changes a member carries ``guard`` and so checks run id, epoch and
expiry in the very script that acts, while it holds the file's lock. The epoch file never goes down.
"""

from __future__ import annotations

import re
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
    "epoch_unreadable": "look at the epoch file on the member: it must hold the number of the last promotion",
    "no_state_directory": "create /var/lib/continuity on the member, owned by the login",
    "kept_data_present": "look at the data that an earlier rejoin kept, then move it away",
}

#: Exit code of a script whose lease or epoch was refused.
REFUSED = 43

#: A service is a directory's name and a run id a line's value on the member: neither may be anything else.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)

# printf, never echo, for what others wrote: the shell's own echo would turn a backslash into something else
FUNCTIONS = r"""
LC_ALL=C; export LC_ALL; umask 077; trap '' PIPE
continuity_refuse() { printf '@@refused %s\n' "$*"; exit 43; }
continuity_lock() {
  [ -d "$state" ] || mkdir -p "$state" || continuity_refuse no_state_directory "$state"
  exec 9>>"$state/lock"
  flock -w 3 9 || continuity_refuse member_busy "another script holds $state/lock"
}
continuity_uptime() { read -r up _ < /proc/uptime; echo "${up%%.*}"; }
continuity_field() { sed -n "s/^$2=//p" "$state/$1" 2>/dev/null | head -n 1; }
continuity_epoch() {
  [ -e "$state/epoch" ] || { echo 0; return; }
  e=$(cat "$state/epoch"); case "$e" in ''|*[!0-9]*) echo unknown;; *) echo "$e";; esac
}
continuity_fresh() {
  have=$(continuity_epoch)
  [ "$have" != unknown ] || continuity_refuse epoch_unreadable "$state/epoch"
  [ "$have" -le "$epoch" ] || continuity_refuse stale_epoch "$have"
}
# seconds the lease still lives; a lease of an earlier boot is over
continuity_left() {
  [ "$(continuity_field lease boot)" = "$(cat /proc/sys/kernel/random/boot_id)" ] || { echo 0; return; }
  until=$(continuity_field lease until); left=$(( ${until:-0} - $(continuity_uptime) ))
  [ "$left" -gt 0 ] && echo "$left" || echo 0
}
continuity_write() { printf '%s\n' "$2" > "$state/$1.new" && sync "$state/$1.new" && mv "$state/$1.new" "$state/$1"; }
"""

_ACQUIRE = r"""
continuity_lock; continuity_fresh; holder=$(continuity_field lease run)
if [ -n "$holder" ] && [ "$holder" != "$run" ] && [ "$(continuity_left)" -gt 0 ]; then
  continuity_refuse lease_held "$holder by $(continuity_field lease owner), $(continuity_left) s left"
fi
[ "$holder" = "$run" ] && [ "$have" = "$epoch" ] || echo "@@changed"
[ "$holder" != "$run" ] || [ -n "$owner" ] || owner=$(continuity_field lease owner)
continuity_write lease "run=$run
owner=$owner
epoch=$epoch
boot=$(cat /proc/sys/kernel/random/boot_id)
until=$(( $(continuity_uptime) + seconds ))" &&
  continuity_write epoch "$epoch" || { echo "@@failed cannot write $state"; exit 1; }
echo "@@held $seconds"
"""

_RELEASE = r"""
continuity_lock
[ "$(continuity_field lease run)" = "$run" ] || { echo "@@released"; exit 0; }
rm -f "$state/lease" && echo "@@changed" && echo "@@released"
"""

_GUARD = r"""
continuity_lock; continuity_fresh
[ "$(continuity_field lease run)" = "$run" ] || continuity_refuse lease_lost "$(continuity_field lease run)"
[ "$(continuity_left)" -gt 0 ] || continuity_refuse lease_expired "$run"
"""


class BadName(ValueError):
    """A service or a run id that is no plain name."""


@dataclass(frozen=True)
class Lease:
    """Whose lease a script acts under. Raises BadName for a service or a run id that is no plain name."""

    service: str
    run_id: str
    epoch: int
    owner: str = ""

    def __post_init__(self) -> None:
        _plain("service", self.service)
        _plain("run id", self.run_id)


def variables(service: str) -> str:
    """Shell that names the service's state directory; every other function here needs it."""
    directory = f"{STATE_DIRECTORY}/{_plain('service', service)}"
    return f"state={shlex.quote(directory)}\n"


def _plain(what: str, value: str) -> str:
    if not _NAME.fullmatch(value):
        raise BadName(f"{what} {value!r}: allowed are letters, digits, dots, hyphens and underscores, not a dot first")
    return value


def _header(lease: Lease) -> str:
    # One line: a line of its own in the lease would be read as a field, such as the expiry
    owner = " ".join("".join(c if c.isprintable() else " " for c in lease.owner).split())
    values = {"run": lease.run_id, "epoch": str(int(lease.epoch)), "owner": owner}
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
            rule, _space, detail = line.removeprefix("@@refused ").partition(" ")
            return rule, detail
    return None
