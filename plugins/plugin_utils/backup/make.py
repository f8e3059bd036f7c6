# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Make the backup that is due, read every file of a repository again, install what starts backups by itself."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import read, schedule
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.machine import Machine
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.observe import Answer
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Backup, Kind, Repository, Schedule, due
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError

#: pgBackRest's words for a copy that is empty: lost, or its storage is not mounted
NO_STANZA = ("missing stanza path", "missing stanza data")


class Maker(Machine):
    """The member that is primary, making backups."""

    def present(self, plan: Schedule, kind: Kind | None = None, only: Sequence[int] = ()) -> dict[str, Any]:
        """Bring every repository to where the plan wants it; a young enough backup is left alone.

        ``kind`` makes one on demand, however young the last one is. A repository that cannot be read does not keep the
        others from their backup, and fails the step in the end.
        """
        answer = self._primary()
        made: list[dict[str, Any]] = []
        kept: list[dict[str, Any]] = []
        for repository in (wanted := self._wanted(answer, only)):
            if not repository.reachable or repository.message in NO_STANZA:
                continue
            needed = kind or due(repository, plan, _now(answer))
            if needed is None:
                kept.append(_shown(repository.key, repository.newest))
                continue
            if self.check_mode:
                made.append({"repository": repository.key, "kind": needed})
                continue
            made.append(self._make(repository, needed))
        self._all_readable(wanted, changed=bool(made) and not self.check_mode, made=made)
        self._all_prepared(wanted, changed=bool(made) and not self.check_mode, made=made)
        return {"changed": bool(made), "state": "present", "made": made, "kept": kept}

    def _make(self, before: Repository, kind: Kind) -> dict[str, Any]:
        started = time.monotonic()
        log = f"{self.stanza.log_path}/{self.stanza.name}-backup.log"
        self.long("backup", self.stanza.make(before.key, kind), "backup_failed", log)
        after = next(each for each in self.ask().repositories if each.key == before.key)
        known = {each.label for each in before.backups}
        new = [each for each in after.usable if each.label not in known]
        if not new:
            raise MemberError(
                f"pgBackRest ended well and repository {before.key} holds no new usable backup; "
                f"look at {log} on {self.cluster.member}",
                "backup_not_there",
            )
        return {**_shown(before.key, new[-1]), "seconds": round(time.monotonic() - started, 1)}

    def verified(self, only: Sequence[int] = ()) -> dict[str, Any]:
        """Read every file of each repository again and compare checksums; anything wrong fails.

        `pgbackrest verify` ends well whatever it finds, says nothing of a backup whose directory is gone, and does not
        count a segment that is not there: its words are read, and compared with what the repository lists.
        """
        results: list[dict[str, Any]] = []
        wrong: list[str] = []
        self._all_readable(repositories := self._wanted(self.ask(), only))
        for repository in repositories:
            found = self._verify(repository) if not self.check_mode else []
            wrong += [f"repository {repository.key}: {each}" for each in found]
            results.append({"repository": repository.key, "wrong": found, "backups": len(repository.backups)})
        if wrong:
            raise MemberError("; ".join(wrong), "backup_damaged", repositories=results)
        return {"changed": False, "state": "verified", "repositories": results}

    def _verify(self, repository: Repository) -> list[str]:
        if not repository.backups:
            return ["it holds no backup"]
        log = f"{self.stanza.log_path}/{self.stanza.name}-verify.log"
        self.long("verify", self.stanza.verify(repository.key), "verify_failed", log)
        said = read.verified(self.read(log))
        if not said.ended:
            return ["verify did not come to its end"]
        wrong = [
            *said.wrong,
            *(f"backup {label} is listed and not there" for label in said.missing(repository.backups)),
        ]
        if not wrong:
            note = json.dumps({"time": time.time(), "files": said.files})
            self.act(self.note(f"backup_verified_{repository.key}", note))
        return wrong

    def scheduled(self, plan: Schedule) -> dict[str, Any]:
        """Install the script, the service and the timer, and start the timer. Needs root on the member."""
        files = schedule.files(self.stanza, plan)
        before = self._installed(files)
        different = sorted(path for path, text in files.items() if before.get(path) != text)
        timer = schedule.timer_of(self.stanza)
        shown = self.execute(
            f"id -u; systemctl show -p ActiveState --value {shlex.quote(timer)}\n", 10.0
        ).stdout.split()
        active = shown[1:2] == ["active"]
        result = {"changed": bool(different) or not active, "state": "scheduled", "files": different, "timer": timer}
        if self.check_mode or not result["changed"]:
            return result
        if shown[:1] != ["0"]:
            hint = "have an administrator install the files that the verb rights writes"
            message = f"the login on {self.cluster.member} may not install units, which would give it root"
            raise self.refuse(Refusal("schedule_needs_root", f"uid {shown[0]}", "root", message, hint))
        writes = [
            f"printf '%s' {shlex.quote(files[path])} >{shlex.quote(path)}.new && "
            f"chmod {'755' if path.startswith(schedule.SCRIPT_DIRECTORY) else '644'} {shlex.quote(path)}.new && "
            f'mv {shlex.quote(path)}.new {shlex.quote(path)} || {{ echo "@@failed install"; exit 1; }}'
            for path in different
        ]
        enable = f'systemctl enable --now {shlex.quote(timer)} >/dev/null 2>&1 || {{ echo "@@failed enable"; exit 1; }}'
        self.act("\n".join([*writes, "systemctl daemon-reload </dev/null", enable]))
        return result

    def _installed(self, files: Mapping[str, str]) -> dict[str, str]:
        """What is there now. The mark after each file keeps its last line break."""
        lines = [f"echo {shlex.quote('@@' + path)}; cat {shlex.quote(path)} 2>/dev/null" for path in files]
        said = dict(read.sections(self.execute("\n".join(lines) + "\n", 10.0).stdout))
        return {path: f"{text}\n" for path, text in said.items() if text}

    def _primary(self) -> Answer:
        """What is observed from here, where this member is the primary: only its data is what must be kept."""
        answer = self.ask()
        if answer.server is None or answer.server["recovery"]:
            measured = "does not answer" if answer.server is None else "a replica"
            message = f"{self.cluster.member} is not the primary"
            raise self.refuse(Refusal("not_the_primary", measured, "primary", message, "run assess to see which is"))
        if answer.server["archive_mode"] == "off":
            message = "a backup without the log since cannot be restored to any time but its own"
            hint = "set archive_mode and archive_command, then restart the primary"
            raise self.refuse(Refusal("archiving_off", "off", "on", message, hint))
        return answer

    @staticmethod
    def _wanted(answer: Answer, only: Sequence[int]) -> list[Repository]:
        return [each for each in answer.repositories if not only or each.key in only]

    def _all_prepared(self, repositories: Sequence[Repository], **result: Any) -> None:
        """No stanza is made here: what looks empty may be storage that is not mounted."""
        empty = [each.key for each in repositories if each.message in NO_STANZA]
        if empty:
            create = " ".join(self.stanza.pgbackrest("stanza-create"))
            keys, where = ", ".join(map(str, empty)), f"as {self.cluster.user} on {self.cluster.member}"
            raise MemberError(
                f"repository {keys} holds no stanza, so nothing is archived or backed up there. Is its "
                f"storage mounted? Then {create} {where}, and run backup",
                "no_stanza",
                **result,
            )

    def _all_readable(self, repositories: Sequence[Repository], **result: Any) -> None:
        for repository in repositories:
            if not repository.reachable:
                message, hint = f"repository {repository.key} cannot be read", "repair it, then run the verb again"
                refusal = Refusal("repository_unreachable", repository.message, "ok", message, hint)
                raise self.refuse(refusal, **result)


def _now(answer: Answer) -> float:
    """The member's clock, which also stamped the backups."""
    return answer.now if answer.now is not None else time.time()


def _shown(key: int, backup: Backup | None) -> dict[str, Any]:
    if backup is None:
        return {"repository": key}
    return {
        "repository": key,
        "label": backup.label,
        "kind": backup.kind,
        "stopped": backup.stopped,
        "size": backup.size,
        "repository_size": backup.repository_size,
        "timeline": backup.timeline,
    }
