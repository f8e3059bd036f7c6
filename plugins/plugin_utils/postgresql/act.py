# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The scripts that change a member: stop a primary for good, promote a replica, start a stopped primary again.

Each checks the run's lease in the script itself and prints one JSON object or ``@@`` lines. A member needs a
shell, systemd and PostgreSQL's own programs.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.lease import Lease, guarded
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import sql
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.observe import RUN_AS


def psql(cluster: Cluster, statements: str, seconds: float, failing: str = "", redirect: str = "") -> str:
    """Shell text that runs ``statements`` on the member, at most ``seconds``; where they fail, it ends as ``failing``.

    The text ends after the line that ends the statements: what follows is another command, so a redirection of psql's
    streams goes in as ``redirect``.
    """
    if "CONTINUITY_SQL" in statements:  # it would end the statements here and begin a command of the shell
        raise ValueError("a value for SQL must not hold CONTINUITY_SQL")
    ask = cluster.as_user(cluster.psql())
    otherwise = f' || {{ echo "@@failed {failing}"; exit 1; }}' if failing else ""
    return f"timeout -k 1 {seconds:g} {ask} {redirect}<<'CONTINUITY_SQL'{otherwise}\n{statements}\nCONTINUITY_SQL\n"


def running(cluster: Cluster) -> str:
    """Shell text that is true while a postmaster runs on the data directory."""
    return f"{cluster.as_user(cluster.status())} >/dev/null 2>&1 </dev/null"


def stop(service: str, lease: Lease | None, cluster: Cluster, upstream: Upstream | None, seconds: float) -> str:
    """Stop a primary cleanly and keep it stopped; print the position of its shutdown checkpoint.

    Everything that can be done while it still serves is done first: the checkpoint that makes the stop short,
    the mask that survives a reboot, and what makes it come back as a replica of ``upstream`` if anyone starts
    it. The outage begins at ``pg_ctl stop``.
    """
    keep = _keep_stopped(cluster) + (_follow(cluster, upstream) if upstream else "")
    socket = shlex.quote(f"{cluster.socket_directory}/.s.PGSQL.{cluster.port}")
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
if {running(cluster)}; then
  printf '@@sessions %s\\n' "$({psql(cluster, sql.SESSIONS, 5)})"
  {psql(cluster, sql.ONLY_A_PRIMARY + "checkpoint;", seconds, "checkpoint")}
  {keep}
  {psql(cluster, "checkpoint;", seconds, "checkpoint")}
  echo @@changed
  {cluster.as_user(cluster.stop())} >/dev/null 2>&1 </dev/null
  turns=0
  while [ -e {socket} ]; do
    turns=$((turns + 1)); [ "$turns" -lt {int(seconds * 200)} ] || {{ echo "@@failed stop"; exit 1; }}
    sleep 0.005
  done
else
  # Stopped already, by an earlier run or by hand: what keeps it so is made sure of all the same
  {keep}
fi
echo @@controldata
{cluster.as_user(cluster.controldata())} </dev/null || {{ echo "@@failed controldata"; exit 1; }}
""",
    )


def _keep_stopped(cluster: Cluster) -> str:
    """Mask the unit, also over a reboot."""
    mask = cluster.as_root(["/usr/bin/systemctl", "mask", cluster.unit])
    return f'{_masked(cluster)} || {{ echo @@changed; {mask} >/dev/null; }} || {{ echo "@@failed mask"; exit 1; }}\n  '


def _masked(cluster: Cluster) -> str:
    return f'[ "$(systemctl show -p LoadState --value {shlex.quote(cluster.unit)})" = masked ]'


def _follow(cluster: Cluster, upstream: Upstream) -> str:
    """Make the data directory a standby of ``upstream`` at its next start; the last setting wins."""
    setting = f"primary_conninfo = {sql.literal(upstream.conninfo(cluster.member))}"
    return (
        f"printf '%s\\n' {shlex.quote(setting)} \"recovery_target_timeline = 'latest'\" | "
        f"{cluster.as_user(['/usr/bin/tee', '-a', cluster.recovery_settings()])} >/dev/null && "
        f"{cluster.as_user(['/usr/bin/touch', cluster.standby_signal()])} </dev/null || "
        '{ echo "@@failed standby_signal"; exit 1; }'
    )


def follow(cluster: Cluster, upstream: Upstream) -> str:
    """Shell text: see ``_follow``; used where a stopped member is about to be started as a replica."""
    return _follow(cluster, upstream)


def arm(service: str, lease: Lease | None, cluster: Cluster, seconds: int) -> str:
    """Open the session on the target that ``promote`` will use, while the old primary still serves.

    By itself it does nothing. It ends after ``seconds`` on the member's own clock: then nobody holds its standard input
    open any more.
    """
    begun = "do $continuity$ begin end $continuity$;\nselect '@@armed';"  # the language is loaded as well
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
{_PROCESSES}
armed="$state/armed"
{_END_ARMED}
mkdir "$armed" && mkfifo "$armed/in" "$armed/out" || {{ echo "@@failed arm"; exit 1; }}
( exec >"$armed/in" 2>/dev/null </dev/null 9>&-; exec sleep {int(seconds)} ) &
continuity_keep keeper $!
( exec <"$armed/in" 1<>"$armed/out" 2>&1 9>&-; {cluster.as_user(cluster.psql())} ) &
continuity_keep session $!
printf '%s\\n' {shlex.quote(begun)} > "$armed/in"
said=$(timeout 5 head -n 1 "$armed/out" </dev/null)
[ "$said" = @@armed ] || {{ echo "@@failed arm"; printf '%s\\n' "$said" >&2; exit 1; }}
""",
    )


#: Whoever opened a session before: its standard input ends, and so does it.
_END_ARMED = """if continuity_ours keeper; then kill "$pid"; fi 2>/dev/null
rm -rf "$armed" """

#: A number alone may be a stranger's by now, after a reboot for sure: a process is its number and when it began.
_PROCESSES = """continuity_began() {
  began=; read -r stat < "/proc/$1/stat" && set -- ${stat##*) } && shift 19 && began=$1
}
continuity_keep() { continuity_began "$2"; echo "$2 $began" > "$armed/$1"; }
continuity_ours() {
  pid= since=; read -r pid since < "$armed/$1" && continuity_began "$pid" && [ "$began" = "$since" ]
}"""

#: From here on a promotion may be under way in the server, whatever becomes of this script: an undo must not have the
#: old primary start again. It ends with the server that was asked. Only a promotion that the server refused to
#: begin takes it back.
_SENT = """read -r boot < /proc/sys/kernel/random/boot_id; read -r up _ < /proc/uptime
echo "$boot $up" > "$state/promoting" || { echo "@@failed promoting"; exit 1; }"""

#: Promote over the session that ``arm`` opened. Where none is left, or not even its first statement was answered, a
#: session of its own does it: promoting twice is no harm.
_OVER_ARMED = """armed="$state/armed" said=
if continuity_ours session; then
  # Open for reading before anything is sent, through a writer that is there for sure: opening never waits
  exec 6<>"$armed/out" 5<"$armed/out" 6>&-
  said=$(printf '%s\\n' "$sql" '\\q' 1<>"$armed/in"; timeout -k 1 {seconds:g} cat <&5)
  exec 5<&-
fi 2>/dev/null"""


def promote(
    service: str,
    lease: Lease | None,
    cluster: Cluster,
    *,
    proof: int | None,
    timeline: int | None = None,
    seconds: float,
    record: Mapping[str, Any],
    lease_left: int | None = None,
    detached: bool = False,
) -> str:
    """Promote a replica that holds everything up to ``proof`` and write the promotion record beside the lease.

    ``lease_left``: so many seconds must be left of the lease, or what proved the others out of the way is too old.
    ``detached``: refuse while anybody sends log to it.
    Protection by synchronous standbys is lifted: the standby it names is the old primary, and every commit would wait
    for it.
    """
    statements = shlex.quote(sql.promote_unprotected(proof, timeline, seconds, detached))
    recorded = shlex.quote(json.dumps(record, sort_keys=True))
    over_armed = _OVER_ARMED.format(seconds=seconds + 2)
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
{_PROCESSES}
sql={statements}
{_SENT}
{over_armed}
case $said in
  *@@protection*) ;;
  *) said=$(printf '%s\\n' "$sql" | timeout -k 1 {seconds + 2:g} {cluster.as_user(cluster.psql())} 2>&1) ;;
esac
server=
while IFS= read -r line; do
  case $line in t) continue ;; '{{'*) server=$line ;; esac
  printf '%s\\n' "$line"
done <<CONTINUITY_SAID
$said
CONTINUITY_SAID
case $said in
  *"continuity not_received"*|*"continuity other_timeline"*|*"continuity primary_seen"*) rm -f "$state/promoting" ;;
esac
[ -n "$server" ] || {{ echo "@@failed promote"; exit 1; }}
rm -f "$state/promoting"
printf '{{"record": %s, "server": %s}}\\n' {recorded} "$server" > "$state/promotion.new" \\
  && mv "$state/promotion.new" "$state/promotion" || echo @@unrecorded
{{ sync "$state/promotion"; {_END_ARMED.replace(chr(10), "; ")}; }} >/dev/null 2>&1 </dev/null 9>&- &
""",
        lease_left,
    )


def start_again(service: str, lease: Lease | None, cluster: Cluster, seconds: float) -> str:
    """Undo ``stop``: the same data serves as primary again. Only for a member that nobody took over from."""
    probe = psql(cluster, "select json_build_object('recovery', pg_is_in_recovery());", 5)
    leave_standby = cluster.as_user(["/usr/bin/rm", "-f", cluster.standby_signal()])
    begin = cluster.as_root(["/usr/bin/systemctl", "start", cluster.unit])
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
{leave_standby} </dev/null || {{ echo "@@failed standby_signal"; exit 1; }}
{cluster.as_root(["/usr/bin/systemctl", "unmask", cluster.unit])} >/dev/null 2>&1
if {running(cluster)} && ! ( {probe} ) >/dev/null 2>&1; then
  {cluster.as_user(cluster.stop_now())} >/dev/null 2>&1 </dev/null
fi
if ! {running(cluster)}; then
  echo @@changed
  {cluster.as_root(["/usr/bin/systemctl", "stop", cluster.unit])} </dev/null
  timeout -k 1 {seconds:g} {begin} </dev/null || {{ echo "@@failed start"; exit 1; }}
fi
{probe}
""",
    )


def settle(service: str, lease: Lease | None, cluster: Cluster, names: list[str] | None) -> str:
    """On a primary: a checkpoint on its own timeline, its history, and who must confirm commits from now on.

    Where a freeze was cut off before its stop, it is also made one that starts again as the primary.
    """
    change = ""
    if names is not None:
        wanted = sql.literal(sql.standby_names(names))
        change = (
            f"select current_setting('synchronous_standby_names') <> {wanted} as change \\gset\n"
            f"\\if :change\n\\echo @@changed\n{sql.synchronous_names(names)}\\endif\n" + sql.await_synchronous(names)
        )
    is_there = cluster.as_user(["/usr/bin/test", "-e", cluster.standby_signal()])
    remove = cluster.as_user(["/usr/bin/rm", "-f", cluster.standby_signal()])
    return guarded(
        lease,
        service,
        f"""{RUN_AS}
{psql(cluster, change + sql.HISTORY, 30, "settle")}
if {is_there} </dev/null; then
  echo @@changed
  {remove} </dev/null || {{ echo "@@failed standby_signal"; exit 1; }}
fi
{_may_start(cluster)}
""",
    )


def may_start(service: str, lease: Lease | None, cluster: Cluster) -> str:
    """Lift the mask of a server that runs and follows; as what it comes back its data directory says."""
    here = f'{running(cluster)} || {{ echo "@@failed running"; exit 1; }}'
    return guarded(lease, service, f"{RUN_AS}\n{here}\n{_may_start(cluster)}")


def _may_start(cluster: Cluster) -> str:
    """Unmask, and read back that it is."""
    unmask = cluster.as_root(["/usr/bin/systemctl", "unmask", cluster.unit])
    return f"""if {_masked(cluster)}; then
  echo @@changed
  {unmask} >/dev/null 2>&1 </dev/null
  ! {_masked(cluster)} || {{ echo "@@failed unmask"; exit 1; }}
fi"""
