# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What stands against the promise that a service can be restored from its backups."""

from __future__ import annotations

from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import (
    Backup,
    Found,
    Repository,
    Schedule,
    Timer,
    gaps,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import format_duration
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Problem

#: The part of the RPO after which an archive that stands still is told: people need the rest to act.
EARLY = 0.5


def problems(found: Found, schedule: Schedule, now: float) -> list[Problem]:
    """Everything that stands against the plan's promise, the worst of each copy only once."""
    told = [each for copy in found.repositories for each in _of_copy(copy, schedule, now, found.archived_within)]
    sites = {repository.site for repository in found.repositories if repository.newest is not None}
    if len(sites) < 2:
        message = "a disaster at one site would take every backup; a replica or a RAID is no copy"
        told.append(_problem("copies_in_one_site", str(len(sites)), "2 sites", message, "add a repository elsewhere"))
    for timer in found.timers:
        told += _of_timer(timer)
    if found.archiver_failing:
        message = "the primary's archive command fails: what is written now can be lost with its disk"
        told.append(_problem("archiver_failing", "failing", "archiving", message, "look at the primary's log"))
    return told


def _of_copy(copy: Repository, schedule: Schedule, now: float, within: float | None) -> list[Problem]:
    name = f"repository {copy.key}"
    if not copy.reachable:
        return [_problem("repository_unreachable", copy.message, "ok", f"{name} cannot be read", "repair it first")]
    newest = copy.newest
    if newest is None:
        return [_problem("no_backup", "none", "a usable backup", f"{name} holds none", "run the verb backup")]
    # One from the future, by a clock that ran ahead, keeps every later one from being due
    told, age = [], abs(now - newest.stopped)
    if age > schedule.shortest:
        message = f"the newest backup of {name} is overdue"
        told.append(_problem("backup_overdue", _text(age), _text(schedule.shortest), message, "run the verb backup"))
    told += _of_archive(copy, newest, schedule, now, within)
    every = schedule.verify_every
    # A clock that ran ahead must not prove a restore for years
    if every is not None and (copy.proven is None or abs(now - copy.proven) > every):
        measured = "never" if copy.proven is None else f"{_text(abs(now - copy.proven))} "
        measured += "" if copy.proven is None else "ago" if copy.proven < now else "from now"
        message = f"no restore from {name} was proven in time: a backup that was never restored is a hope"
        told.append(_problem("restore_unproven", measured, f"every {_text(every)}", message, "run the verb restore"))
    return told


def _of_archive(
    copy: Repository, newest: Backup, schedule: Schedule, now: float, within: float | None
) -> list[Problem]:
    name, archive = f"repository {copy.key}", copy.archive
    if archive is None or archive.newest is None:
        return [_problem("archive_unknown", "unknown", "read", f"the log archive of {name} was not read", "run assess")]
    # A server that nobody writes to archives nothing: then what could be lost is no older than it waits with a switch
    told, age = [], min(max(now - archive.newest, 0.0), float("inf") if within is None else within)
    missing = gaps(archive, newest.wal_start, archive.newest_timeline or newest.timeline)
    if missing:
        message = f"{len(missing)} segments of the log are missing in {name}: nothing after them can be restored"
        told.append(_problem("archive_gap", str(len(missing)), "0", message, "run the verb backup, then find out why"))
    if schedule.rpo is not None and age > schedule.rpo * EARLY:
        rule = "archive_over_rpo" if age > schedule.rpo else "archive_late"
        message = f"nothing has been archived in {name} since; the promise is {_text(schedule.rpo)}"
        hint = "set archive_timeout below half of the RPO, and look at the archiver"
        told.append(Problem(rule, _text(age), _text(schedule.rpo * EARLY), message, (), hint))
    return told


def _of_timer(timer: Timer) -> list[Problem]:
    if timer.installed is False or timer.active is False:
        measured = "not installed" if timer.installed is False else "stopped"
        message = f"no backup will be started on {timer.member}"
        hint = "run the verb backup, or install the files that the verb rights writes"
        return [_problem("schedule_stopped", measured, "waiting", message, hint)]
    if timer.failed:
        message = f"the last backup that was started on {timer.member} failed"
        return [_problem("schedule_failed", "failed", "success", message, "look at the journal of its unit")]
    return []


def _problem(rule: str, measured: str, limit: str, message: str, hint: str) -> Problem:
    """Backups stand in the way of no move: a failover must not wait for one."""
    return Problem(rule, measured, limit, message, (), hint)


def _text(seconds: float) -> str:
    return format_duration(float(int(seconds)) if seconds >= 1 else seconds)
