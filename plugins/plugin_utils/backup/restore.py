# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restore beside the production data, into a server that nobody can reach, and prove what came of it.

Each phase is noted on the member before it begins, so a run that was cut off is gone on with by the next one: the copy
by its checksums, the recovery by the server itself. pgBackRest writes the control file last, so what is half restored
cannot start; and until it is proven nothing here leads to production.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import contents, prove, read
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.directory import RestoreDirectory
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.isolated import IsolatedServer
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.machine import Machine
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.observe import Answer
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.wanted import (
    PROVEN,
    Wanted,
    outdated,
    request_of,
    same_request,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Repository
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import Choice, choose
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused


class Restorer(Machine):
    """The member that a restore fills a directory on."""

    @property
    def directory(self) -> RestoreDirectory:
        """The directory that is filled."""
        return RestoreDirectory(self)

    @property
    def server(self) -> IsolatedServer:
        """The server that runs on what was restored."""
        return IsolatedServer(self)

    def restored(self, wanted: Wanted) -> dict[str, Any]:
        """Bring the restore directory to the target, prove it, and leave it stopped.

        A proven one is left alone, also where it was put in place since.
        """
        answer, began = self.ask(), time.monotonic()
        noted = self.noted(answer)
        if same_request(noted, wanted) and noted.get("phase") == "swapped":
            return {**noted["swap"], "changed": False}
        if same_request(noted, wanted) and noted.get("phase") in PROVEN and not outdated(noted, wanted, answer):
            return {**noted["result"], "changed": False}
        self._swap_ended(noted)
        request = request_of(wanted)
        if not (self.check_mode and wanted.target.kind == "last_clean"):
            aimed = self.aimed(wanted, answer, noted)
            noted, wanted = (noted if aimed is wanted else self.ask().restore or {}), aimed
        choice = self.chosen(answer, wanted)
        plan = {
            **request,
            "aimed": str(choice.target),
            "label": choice.backup.label,
            "copy": choice.repository,
            "timeline": choice.timeline,
            "last_segment": choice.last_segment,
        }
        result: dict[str, Any] = {
            "changed": True,
            "state": "restored",
            "target": str(wanted.target),
            "repository": choice.repository,
            "label": choice.backup.label,
            "timeline": choice.timeline,
            "directory": self.stanza.aside,
            "resumed": bool(noted) and all(noted.get(key) == value for key, value in request.items()),
        }
        self.directory.may_be_filled(noted, choice)
        if self.check_mode:
            return result
        self._copy(plan, choice, noted)
        result["copy_seconds"] = round(time.monotonic() - began, 1)
        log = self._recover(plan, choice, answer)
        result["recovery_seconds"] = round(time.monotonic() - began - result["copy_seconds"], 1)
        try:
            result.update(self._prove(choice, wanted, log, answer))
        except MemberError:
            self.server.stop()
            raise
        result["seconds"] = round(time.monotonic() - began, 1)
        proof = {key: result[key] for key in ("repository", "target", "label", "seconds", "newest_row_age_seconds")}
        result["proof"] = {**proof, "time": time.time()}
        self.act(self._phase(plan, "proven", result=result) + self._proof(result["proof"]))
        return result

    def aimed(self, wanted: Wanted, answer: Answer, noted: Mapping[str, Any]) -> Wanted:
        """What was asked for as a target that pgBackRest knows."""
        return wanted

    def noted(self, answer: Answer) -> Mapping[str, Any]:
        """The restore that this member holds, as it was noted. One whose files are gone, with their disk, is none."""
        noted = answer.restore or {}
        self._is_here(noted)
        here, aside = self.cluster.data_directory, self.stanza.aside
        where = {"proven": (aside,), "swapping": (aside, here), "swapped": (here,)}.get(str(noted.get("phase")), ())
        return noted if not where or any(self.is_there(f"{each}/PG_VERSION") for each in where) else {}

    def _phase(self, plan: Mapping[str, Any], phase: str, **more: Any) -> str:
        return self.note("restore", json.dumps({**plan, "directory": self.stanza.aside, "phase": phase, **more}))

    def _is_here(self, noted: Mapping[str, Any]) -> None:
        """What was noted holds for its own directory: in another one it would make somebody's files pass for ours."""
        where = noted.get("directory", self.stanza.aside)
        if noted.get("phase") != "swapped" and where != self.stanza.aside:
            message = f"{self.cluster.member} holds a restore in another directory"
            hint = f"name {where} as restore_directory again, then discard it"
            raise MemberRefused(Refusal("restored_elsewhere", where, self.stanza.aside, message, hint))

    def _swap_ended(self, noted: Mapping[str, Any]) -> None:
        """Refuse where a swap was cut off: what it moves may be the only copy of something."""
        if noted.get("phase") == "swapping":
            hint = "run the same restore in place again: it goes on where that ended"
            message = f"a swap on {self.cluster.member} was cut off, and what it moves would be lost"
            raise MemberRefused(Refusal("swap_cut_off", "swapping", "proven, or swapped", message, hint))

    def told(self, proof: Mapping[str, Any]) -> dict[str, Any]:
        """Keep here too what was proven on another member: whoever is asked knows when a copy was last restored."""
        known = next((each for each in self.ask().repositories if each.key == proof["repository"]), None)
        changed = known is not None and (known.proven is None or known.proven < float(proof["time"]))
        if changed and not self.check_mode:
            self.act(self._proof(proof))
        return {"changed": changed, "state": "told"}

    def _proof(self, proof: Mapping[str, Any]) -> str:
        return self.note(f"backup_proven_{int(proof['repository'])}", json.dumps(dict(proof)))

    def chosen(self, answer: Answer, wanted: Wanted) -> Choice:
        """The backup, copy and timeline that serve the target. Raises MemberRefused with every reason."""
        found = choose(answer.repositories, wanted.target, wanted.timeline, wanted.repository)
        if not isinstance(found, Choice):
            raise MemberRefused(*found)
        have, need = answer.versions.get(found.repository), self.cluster.version
        if have != need:
            message, hint = "the backup is of another major version", "restore with a cluster of that version"
            raise MemberRefused(Refusal("other_version", str(have), need, message, hint))
        return found

    def _copy(self, plan: Mapping[str, Any], choice: Choice, noted: Mapping[str, Any]) -> None:
        """Have the directory filled; a copy that an earlier controller began for the same plan is watched."""
        # More may be archived since: that changes nothing of what is copied
        same = all(noted.get(key) == value for key, value in plan.items() if key != "last_segment")
        if not (same and self.directory.is_being_filled()):
            self.server.stop()
            self.act(self.directory.prepared(choice, self._phase(plan, "copying")), 130)
            if self.directory.is_being_filled():
                raise MemberError("the copy of an earlier restore does not end; stop its unit", "restore_failed")
        self.directory.fill()

    def _recover(self, plan: Mapping[str, Any], choice: Choice, answer: Answer) -> read.Recovery:
        """Bring the isolated server to the target. Raises with its own words where it did not come there."""
        said = self.server.recovered(self._phase(plan, "recovering"))
        archive = self._repository(answer, choice.repository).archive
        number = archive.number(said.last_segment) if archive and said.last_segment else None
        wrong = prove.not_reached(choice, said, number)
        if wrong:
            self.server.stop()
            reason = prove.reason_of(said.fatal) if said.fatal else "recovery_incomplete"
            message = f"the restore of {choice.backup.label} from repository {choice.repository} did not reach "
            raise MemberError(f"{message}{choice.target}: {wrong}", reason, recovery=asdict(said))
        return said

    @staticmethod
    def _repository(answer: Answer, key: int) -> Repository:
        return next(each for each in answer.repositories if each.key == key)

    def _prove(self, choice: Choice, wanted: Wanted, log: read.Recovery, answer: Answer) -> dict[str, Any]:
        """Read everything once and ask the plan's own questions; stop; check every page. Raises unless all is well."""
        state = self._state(answer, choice)
        at = float(choice.target.at) if choice.target.kind == "time" and choice.target.at is not None else None
        databases = contents.databases(self, self.stanza.restored) or []
        seen = contents.shown(self, self.stanza.restored, databases, wanted.checks, wanted.canary, at)
        wrong = list(prove.unproven(choice, seen, wanted.canary))
        result: dict[str, Any] = {
            "stopped": log.stopped or f"end of the log, last commit {log.last_commit}",
            "last_commit": log.last_commit,
            "until": at or log.stopped_at or log.last_commit,
            "newest_row": (seen.canary or {}).get("newest"),
            "counts": seen.counts,
            "next_xid": state["next_xid"],
            "checks": [{"query": check.query, "answer": text} for check, text in seen.checks],
            "restored_timeline": state["timeline"],
            "ended": not state["recovery"],
            "newest_row_age_seconds": _age(seen, at or log.stopped_at or (answer.now if log.promoted else None)),
        }
        if wrong:
            raise MemberError(f"{self.stanza.aside}: {'; '.join(wrong)}", "not_proven", unproven=wrong, **result)
        self.long("dump", self.stanza.dump(), "dump_failed")
        self.server.stop()
        result["checksums"] = state["checksums"]
        if state["checksums"] == "on":
            self.long("checksums", self.stanza.checksums(), "checksums_failed")
        return result

    def _state(self, answer: Answer, choice: Choice) -> dict[str, Any]:
        state = self.server.readable()
        wanted = answer.system_ids.get(choice.repository)
        if state["system_id"] != wanted:
            message = f"the restored cluster is {state['system_id']}, the repository's is {wanted}"
            raise MemberError(message, "other_cluster")
        if state["asked"] != choice.target.value:
            message = f"the restored server was told {state['asked'] or 'latest'}, not {choice.target}"
            raise MemberError(f"{message}: did another run restore here at the same time?", "not_proven")
        return state

    def discarded(self) -> dict[str, Any]:
        """Stop and delete what was restored, and only that."""
        noted = self.ask().restore
        self._swap_ended(noted or {})
        self._is_here(noted or {})
        if noted is None or self.check_mode:
            return {"changed": noted is not None, "state": "absent", "directory": self.stanza.aside}
        ours = [self.stanza.run_directory]
        if noted.get("phase") != "swapped":  # else it is production's data now, and what has its old name is not ours
            self.server.stop()
            ours.insert(0, self.stanza.aside)
        remove = self.cluster.as_user(["/usr/bin/rm", "-rf", *ours])
        self.act(f'{remove} </dev/null || {{ echo "@@failed remove"; exit 1; }}\nrm -f "$state/restore"\n', 600)
        return {"changed": True, "state": "absent", "directory": self.stanza.aside}


def _age(seen: prove.Shown, until: float | None) -> float | None:
    """How much older than the target the canary's newest row is: what a restore really lost. None: nobody knows."""
    newest = (seen.canary or {}).get("newest")
    # The member's clock is read in whole seconds, so a row of the same second would be younger than now
    return round(max(0.0, until - float(newest)), 3) if newest is not None and until is not None else None
