# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shell text that puts restored data in the place of the production data, and what was there back.

Each move is made only where it is still to be done, so that a swap that was cut off is gone on with.
"""

from __future__ import annotations

import shlex

from ansible_collections.continuity.dr.plugins.plugin_utils.backup.stanza import Stanza
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act


def in_place(stanza: Stanza, away: str, ended: bool, seconds: float) -> str:
    """Move the directories and start the server. ``away`` is what moves away what was there."""
    cluster = stanza.cluster
    swap = cluster.as_user(["/usr/bin/mv", "-T", stanza.aside, cluster.data_directory])
    begin = cluster.as_root(["/usr/bin/systemctl", "start", cluster.unit])
    unmask = cluster.as_root(["/usr/bin/systemctl", "unmask", cluster.unit])
    return f"""
if {act.running(cluster)}; then
  ! {_there(stanza, stanza.aside)} || {{ echo "@@failed running"; exit 1; }}
  exit 0
fi
{away}
if {_there(stanza, stanza.aside)}; then
  {swap} </dev/null || {{ echo "@@failed swap"; exit 1; }}
fi
{_production_settings(stanza, ended)}
{unmask} >/dev/null 2>&1 </dev/null
timeout -k 1 {seconds:g} {begin} </dev/null || {{ echo "@@failed start"; exit 1; }}
"""


def keep(stanza: Stanza) -> str:
    """Keep what was there beside."""
    move = stanza.cluster.as_user(["/usr/bin/mv", "-T", stanza.cluster.data_directory, stanza.kept])
    return f'{_there(stanza, stanza.kept)} || {move} </dev/null || {{ echo "@@failed keep"; exit 1; }}'


def put_back(stanza: Stanza) -> str:
    """What was there before is there again; the restored data is where it was."""
    cluster, data = stanza.cluster, stanza.cluster.data_directory
    stop = cluster.as_root(["/usr/bin/systemctl", "stop", cluster.unit])
    aside = cluster.as_user(["/usr/bin/mv", "-T", data, stanza.aside])
    kept = cluster.as_user(["/usr/bin/mv", "-T", stanza.kept, data])
    failed = '{ echo "@@failed put_back"; exit 1; }'
    return f"""
{stop} >/dev/null 2>&1 </dev/null
{_there(stanza, stanza.aside)} || ! {_there(stanza, data)} || {aside} </dev/null || {failed}
! {_there(stanza, stanza.kept)} || {kept} </dev/null || {failed}
"""


def settled(stanza: Stanza) -> str:
    """What only the recovery needed is taken out again: a replica cloned from here would stop at the old target."""
    clean = stanza.cluster.as_user(stanza.clean_after_start(stanza.cluster.recovery_settings()))
    reload = act.psql(stanza.cluster, "checkpoint; select pg_reload_conf();", 120, "reload")
    return f'{clean} </dev/null || {{ echo "@@failed settings"; exit 1; }}\n{reload}\n'


def release(stanza: Stanza) -> str:
    """Delete what was kept, and what the restore needed beside the data."""
    remove = stanza.cluster.as_user(["/usr/bin/rm", "-rf", stanza.kept])
    again = stanza.cluster.as_user(["/usr/bin/rm", "-rf", stanza.run_directory])
    failed = '{ echo "@@failed remove"; exit 1; }'
    return f'{remove} </dev/null && {again} </dev/null || {failed}\nrm -f "$state/restore"\n'


def _production_settings(stanza: Stanza, ended: bool) -> str:
    """It archives again, fetches the log like the production cluster, and is promoted where it stopped.

    Nobody has to confirm its commits: whoever did follows the data that is replaced. ``ended``: its recovery
    ended beside the production data, where nothing is archived. It ends once more, or the archive would never get
    the history of its timeline, and the next restore could not follow it.
    """
    user, auto = stanza.cluster.as_user, stanza.cluster.recovery_settings()
    clean = user(stanza.clean_for_start(auto))
    fetch = " ".join([*stanza.pgbackrest("archive-get", "%f"), '"%p"'])
    lines = f"restore_command = '{fetch}'\nrecovery_target_action = 'promote'\n"
    lines += "synchronous_standby_names = ''\n"
    again = ""
    if ended:
        clean += f" </dev/null && {user(stanza.clean_after_start(auto))}"
        lines += "recovery_target_timeline = 'current'\n"
        again = f" && {user(stanza.recover_again())} </dev/null"
    tee = user(["/usr/bin/tee", "-a", auto])
    failed = '{ echo "@@failed settings"; exit 1; }'
    return f"{clean} </dev/null && printf '%s' {shlex.quote(lines)} | {tee} >/dev/null{again} || {failed}"


def _there(stanza: Stanza, path: str) -> str:
    return f"{stanza.cluster.as_user(['/usr/bin/test', '-e', path])} </dev/null"
