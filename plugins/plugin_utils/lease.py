# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lease a run holds on each member, as shell that runs there.

A lease is a file below ``/var/lib/continuity/<service>/`` on the member: who holds it (run id, owner), under
which epoch, and when it ends on the member's own monotonic clock of this boot. It is defence in depth behind
the claim at the arbiter: every script that changes a member carries ``guard`` and so checks run id, epoch and
expiry in the very script that acts, while it holds the file's lock. The epoch file never goes down.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Owned by the login, never inside a data directory and not writable by the database's user.
STATE_DIRECTORY = "/var/lib/continuity"

#: What to do about each refusal a member can give.
NEXT = {
    "stale_epoch": "another run took over since: run assess, then decide again",
    "lease_lost": "another run took over since: run assess, then decide again",
    "lease_expired": "the run was paused for too long: run the verb again",
    "lease_held": "wait for the other run; if it was cut off, continue it with -e continuity_run_id=<its id>; if its "
    "controller is gone for good, -e break_lease=<its id>",
    "proof_too_old": "the run was paused between its proof and this step: run the verb again, which asks anew",
    "holder_alive": "look for the other run where it was started, and end it; then run the verb again",
    "member_busy": "a script of another run is at work on this member: wait for it",
    "epoch_unreadable": "look at the epoch file on the member: it must hold the number of the last promotion",
    "no_state_directory": "create /var/lib/continuity on the member, owned by the login",
    "kept_data_present": "look at the data that an earlier rejoin kept, then move it away",
}

#: Exit code of a script whose lease or epoch was refused.
REFUSED = 43

#: What of a promotion record the promoted server itself said; it stands apart in the file.
_OF_THE_SERVER = ("timeline", "position", "system_id")

#: A service is a directory's name and a run id a line's value on the member: neither may be anything else.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)

#: Shell text that tells who holds the lease in ``$state``: `@@lease <seconds left> <acted ago> <run> <owner>`.
OBSERVE = (
    'if [ -e "$state/lease" ]; then holder=$(continuity_field lease run); ago=$(continuity_acted "$holder"); '
    'printf \'@@lease %s %s %s %s\\n\' "$(continuity_left)" "${ago:--}" "$holder" '
    '"$(continuity_field lease owner)"; fi'
)

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
# The shell's own words only: each program would cost a millisecond, and every step begins with these, also in an outage
continuity_field() {
  while IFS= read -r line || [ -n "$line" ]; do
    case "$line" in "$2="*) printf '%s\n' "${line#*=}"; return;; esac
  done 2>/dev/null < "$state/$1"
}
continuity_epoch() {
  [ -e "$state/epoch" ] || { echo 0; return; }
  e=; more=; { IFS= read -r e; IFS= read -r more; } < "$state/epoch"
  case "$e$more" in ''|*[!0-9]*) echo unknown;; *) [ -z "$more" ] && echo "$e" || echo unknown;; esac
}
continuity_fresh() {
  have=$(continuity_epoch)
  [ "$have" != unknown ] || continuity_refuse epoch_unreadable "$state/epoch"
  [ "$have" -le "$epoch" ] || continuity_refuse stale_epoch "$have"
}
# seconds the lease still lives; a lease of an earlier boot is over
continuity_left() {
  read -r boot < /proc/sys/kernel/random/boot_id
  [ "$(continuity_field lease boot)" = "$boot" ] || { echo 0; return; }
  until=$(continuity_field lease until); left=$(( ${until:-0} - $(continuity_uptime) ))
  [ "$left" -gt 0 ] && echo "$left" || echo 0
}
# seconds since a run last began a step here; nothing where that is not known, as after a reboot
continuity_acted() {
  read -r who at _ 2>/dev/null < "$state/acted" || return 0
  case "$at" in ''|*[!0-9]*) return 0;; esac
  [ "$who" = "$1" ] && echo $(( $(continuity_uptime) - at ))
}
continuity_acts() { read -r up _ < /proc/uptime; printf '%s %s\n' "$run" "${up%%.*}" > "$state/acted"; }
continuity_write() { printf '%s\n' "$2" > "$state/$1.new" && sync "$state/$1.new" && mv "$state/$1.new" "$state/$1"; }
"""

_ACQUIRE = r"""
continuity_lock; continuity_fresh; holder=$(continuity_field lease run)
if [ -n "$holder" ] && [ "$holder" != "$run" ] && [ "$(continuity_left)" -gt 0 ]; then
  [ "$holder" = "$break" ] ||
    continuity_refuse lease_held "$holder by $(continuity_field lease owner), $(continuity_left) s left"
  ago=$(continuity_acted "$holder")
  [ -z "$ago" ] || [ "$ago" -ge "$quiet" ] || continuity_refuse holder_alive "$holder did a step $ago s ago"
  # Its later steps must find a newer epoch, or it could go on where it was
  [ "$have" -lt "$epoch" ] || continuity_refuse stale_epoch "$have"
  echo "@@broken $holder"
fi
[ "$holder" = "$run" ] && [ "$have" = "$epoch" ] || echo "@@changed"
[ "$holder" != "$run" ] || [ -n "$owner" ] || owner=$(continuity_field lease owner)
continuity_write lease "run=$run
owner=$owner
epoch=$epoch
boot=$(cat /proc/sys/kernel/random/boot_id)
until=$(( $(continuity_uptime) + seconds ))" &&
  continuity_write epoch "$epoch" || { echo "@@failed cannot write $state"; exit 1; }
continuity_acts
echo "@@held $seconds"
"""

_RELEASE = r"""
continuity_lock
[ "$(continuity_field lease run)" = "$run" ] || { echo "@@released"; exit 0; }
# Another process of the same run took it again
[ "$(continuity_field lease epoch)" -le "$epoch" ] 2>/dev/null || { echo "@@released"; exit 0; }
if [ -n "$record" ]; then
  known=$(sed -n 's/.*"epoch": \([0-9][0-9]*\).*/\1/p' "$state/promotion" 2>/dev/null | head -n 1)
  [ -n "$known" ] && [ "$known" -ge "$record_epoch" ] || continuity_write promotion "$record" || echo "@@unrecorded"
fi
rm -f "$state/lease" && echo "@@changed" && echo "@@released"
"""

_GUARD = r"""
continuity_lock; continuity_fresh
[ "$(continuity_field lease run)" = "$run" ] || continuity_refuse lease_lost "$(continuity_field lease run)"
[ "$(continuity_left)" -gt 0 ] || continuity_refuse lease_expired "$run"
continuity_acts
"""

# A run that slept since it proved something finds less left of its lease than it counted on
_NOT_SLEPT = r"""
left=$(continuity_left)
[ "$left" -ge "$least" ] || continuity_refuse proof_too_old "$((least - left)) s too late"
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


def acquire_script(lease: Lease, seconds: int, break_run: str = "", quiet_seconds: int = 0) -> str:
    """Take or renew the lease for ``seconds``; refused while another run's lease lives or the epoch is older.

    The live lease of ``break_run`` is taken all the same, once that run has begun no step here for ``quiet_seconds``.
    """
    broken = f"break={shlex.quote(_plain('run id', break_run) if break_run else '')}\nquiet={int(quiet_seconds)}\n"
    return _whole(_header(lease) + broken + f"seconds={int(seconds)}\n" + _ACQUIRE)


def renew_script(lease: Lease, seconds: int) -> str:
    """Renew a lease that still lives: a run that slept past its end must not come by a new one as if it had held it."""
    return _whole(_header(lease) + f"break=\nquiet=0\nseconds={int(seconds)}\n" + _GUARD + _ACQUIRE)


def release_script(lease: Lease, promotion: Mapping[str, Any] | None = None) -> str:
    """Give the lease back; a lease of another run is left alone.

    ``promotion``, the service's newest promotion record, is kept on this member as well unless it knows a newer one:
    the member that was promoted may be the next to be lost.
    """
    known = promotion or {}
    epoch = known.get("epoch") if isinstance(known.get("epoch"), int) else None
    server = {key: known[key] for key in _OF_THE_SERVER if key in known}
    record = {"record": {key: known[key] for key in known if key not in server}, "server": server}
    text = shlex.quote(json.dumps(record, sort_keys=True)) if epoch is not None else ""
    return _whole(_header(lease) + f"record={text}\nrecord_epoch={epoch or 0}\n" + _RELEASE)


def guarded(lease: Lease | None, service: str, script: str, least_left: int | None = None) -> str:
    """Put the check of run id, epoch and expiry before ``script``, under one lock held until it ends.

    ``least_left``: so many seconds must be left of the lease. Without a lease (a foreign playbook that runs no verb)
    the script runs as it is.
    """
    if lease is None:
        return _whole(FUNCTIONS + variables(service) + 'mkdir -p "$state" 2>/dev/null\n' + script)
    awake = "" if least_left is None else f"least={int(least_left)}\n{_NOT_SLEPT}"
    return _whole(_header(lease) + _GUARD + awake + script)


def _whole(script: str) -> str:
    """Braces make the shell read all of it before it runs the first line: half a script never runs."""
    return "{\n" + script + "\nexit 0\n}\n"


def observed(said: Sequence[str]) -> dict[str, Any] | None:
    """Who holds the lease on a member, from what ``OBSERVE`` printed after its mark; None where nobody does.

    >>> observed(["12 3 run-a ann@ops"])
    {'run': 'run-a', 'owner': 'ann@ops', 'seconds_left': 12, 'acted_seconds_ago': 3}
    """
    for line in said:
        left, ago, run, owner = [*line.split(" ", 3), "", "", ""][:4]
        if left.isdigit() and run:
            acted = int(ago) if ago.lstrip("-").isdigit() else None
            return {"run": run, "owner": owner, "seconds_left": int(left), "acted_seconds_ago": acted}
    return None


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
