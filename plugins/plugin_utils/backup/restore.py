# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restore beside the production data, into a server that nobody can reach, and prove what came of it.

Each phase is noted on the member before it begins, so a run that was cut off is gone on with by the next one: the copy
by its checksums, the recovery by the server itself. pgBackRest writes the control file last, so what is half restored
cannot start; and until it is proven nothing here leads to production.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import observe, prove, read
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.machine import Machine
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.observe import Answer
from ansible_collections.continuity.dr.plugins.plugin_utils.core.backups import Repository
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import Choice, Target, choose
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.act import psql
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import (
    LONG_WORK_POLL_SECONDS,
    MemberError,
    MemberRefused,
)

#: What a server in recovery needs at least as large as its primary had it, by its name in the control file
CAPACITIES = {
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
    "track_commit_timestamp setting": "track_commit_timestamp",
}
#: Phases of a restore of which the proof is made: it lies aside, is being put in place, or serves
PROVEN = ("proven", "swapping", "swapped")
HBA = "local all all peer\n"
#: What is needed beside the size of the backup: the log that is read, and what recovery writes
SPARE_BYTES = 256 << 20
READ_SECONDS = 3600.0


@dataclass(frozen=True)
class Wanted:
    """What is to be restored, and by what it is judged."""

    target: Target
    timeline: int | None = None
    repository: int | None = None
    checks: tuple[prove.Check, ...] = ()
    canary: prove.Canary | None = None


class Restorer(Machine):
    """The member that a restore fills a directory on."""

    def restored(self, wanted: Wanted) -> dict[str, Any]:
        """Bring the restore directory to the target, prove it, and leave it stopped.

        A proven one is left alone, also where it was put in place since.
        """
        answer, began = self.ask(), time.monotonic()
        noted = answer.restore or {}
        if same_request(noted, wanted) and noted.get("phase") == "swapped":
            return {**noted["swap"], "changed": False}
        if same_request(noted, wanted) and noted.get("phase") in PROVEN:
            return {**noted["result"], "changed": False}
        choice = self.chosen(answer, wanted)
        plan = {**_request(wanted), "label": choice.backup.label, "timeline": choice.timeline}
        result: dict[str, Any] = {
            "changed": True,
            "state": "restored",
            "target": str(wanted.target),
            "repository": choice.repository,
            "label": choice.backup.label,
            "timeline": choice.timeline,
            "directory": self.stanza.aside,
            "resumed": bool(noted) and same_request(noted, wanted),
        }
        self._may_restore(answer, noted, choice)
        if self.check_mode:
            return result
        self._copy(plan, choice, noted)
        result["copy_seconds"] = round(time.monotonic() - began, 1)
        log = self._recover(plan, choice)
        result["recovery_seconds"] = round(time.monotonic() - began - result["copy_seconds"], 1)
        result.update(self._prove(choice, wanted, log, answer))
        result["seconds"] = round(time.monotonic() - began, 1)
        proof = {key: result[key] for key in ("repository", "target", "label", "seconds", "newest_row_age_seconds")}
        result["proof"] = {**proof, "time": time.time()}
        self.act(
            self.note("restore", json.dumps({**plan, "phase": "proven", "result": result}))
            + self._proof(result["proof"])
        )
        return result

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

    def _may_restore(self, answer: Answer, noted: Mapping[str, Any], choice: Choice) -> None:
        """The directory is empty or ours, nothing runs on it, and there is room."""
        aside = self.stanza.aside
        shown = observe.pairs(self.look(self._room_script()).stdout)
        if shown.get("link") == "1":
            raise self._refused("restore_directory_in_use", f"{aside} is a link", "a directory", "name the directory")
        if shown.get("running") == "1" and not noted:
            hint = "name another directory: this one serves somebody"
            raise self._refused("target_is_live", "a server runs on it", "nothing runs on it", hint)
        if shown.get("files") not in (None, "0") and not noted:
            hint = "name another directory, or empty it yourself: it was not filled by a restore of ours"
            raise self._refused("restore_directory_in_use", f"{shown['files']} files", "empty, or ours", hint)
        free, held = (int(shown.get(key) or -1) for key in ("free", "held"))
        need = choice.backup.size + SPARE_BYTES - max(held, 0)
        if 0 <= free < need:
            hint = "make room, or name a directory on another file system"
            raise self._refused("not_enough_space", f"{free >> 20} MiB", f"{need >> 20} MiB", hint)

    def _room_script(self) -> str:
        aside, user = shlex.quote(self.stanza.aside), self.cluster.as_user
        status = user(self.stanza.restored.status())
        files = user(["/usr/bin/find", self.stanza.aside, "-mindepth", "1", "-maxdepth", "1"])
        return f"""LC_ALL=C; export LC_ALL
[ ! -L {aside} ] || echo link=1
{status} >/dev/null 2>&1 </dev/null && echo running=1
echo "files=$({files} 2>/dev/null </dev/null | wc -l)"
held=$({user(["/usr/bin/du", "-sb", self.stanza.aside])} 2>/dev/null </dev/null); echo "held=${{held%%[!0-9]*}}"
set -- $(df -P -B1 "$(dirname {aside})" 2>/dev/null | tail -n 1); echo "free=${{4:-}}"
"""

    def _refused(self, rule: str, measured: str, limit: str, hint: str) -> MemberRefused:
        return MemberRefused(Refusal(rule, measured, limit, f"nothing was restored into {self.stanza.aside}", hint))

    def _copy(self, plan: Mapping[str, Any], choice: Choice, noted: Mapping[str, Any]) -> None:
        """Have pgBackRest fill the directory; what is there and right already is kept."""
        same = noted.get("label") == choice.backup.label and noted.get("repository") == choice.repository
        if not (same and self.begun_already()):
            self._stop_restored()
            self.act(self._prepared(plan, choice), 30)
        log = f"{self.stanza.run_directory}/{self.stanza.name}-restore.log"
        self.long("restore", self.stanza.restore(), "restore_failed", log)
        control = ["/usr/bin/test", "-s", f"{self.stanza.aside}/global/pg_control"]
        if self.look(f"{self.cluster.as_user(control)} </dev/null\n").rc != 0:
            raise MemberError(f"{self.stanza.aside} has no control file after its restore; see {log}", "restore_failed")

    def begun_already(self) -> bool:
        """A copy of an earlier controller still runs: it is watched, not begun again."""
        unit = shlex.quote(self.stanza.unit("restore"))
        return self.execute(f"systemctl show -p SubState --value {unit}\n", 10.0).stdout.strip() == "running"

    def _prepared(self, plan: Mapping[str, Any], choice: Choice) -> str:
        """The directories, and the options of this restore: the only thing in which restores differ."""
        target, user = choice.target, self.cluster.as_user
        options = {
            "REPO": str(choice.repository),
            "SET": choice.backup.label,
            "TYPE": "default" if target.kind == "latest" else target.kind,
            "TARGET_TIMELINE": str(choice.timeline),
            "RECOVERY_OPTION": f"restore_command={self.stanza.archive_get(choice.repository)}",
        }
        if target.kind != "latest":
            options["TARGET"] = target.value
        text = "".join(f"PGBACKREST_{name}='{value}'\n" for name, value in options.items())
        make = user(["/usr/bin/mkdir", "-p", "-m", "700", self.stanza.aside, self.stanza.run_directory])
        return (
            self.note("restore", json.dumps({**plan, "phase": "copying"}))
            + f'{make} </dev/null || {{ echo "@@failed mkdir"; exit 1; }}\n'
            # Left by a server that was killed; pgBackRest would take it for one that runs
            + f"{user(['/usr/bin/rm', '-f', f'{self.stanza.aside}/postmaster.pid'])} </dev/null\n"
            + self._write("restore.env", text)
            + self._write("pg_hba.conf", HBA)
            + self._write("pg_ident.conf", "# nobody\n")
        )

    def _write(self, name: str, text: str) -> str:
        tee = self.cluster.as_user(["/usr/bin/tee", f"{self.stanza.run_directory}/{name}"])
        return f"printf '%s' {shlex.quote(text)} | {tee} >/dev/null || {{ echo \"@@failed write\"; exit 1; }}\n"

    def _recover(self, plan: Mapping[str, Any], choice: Choice) -> read.Recovery:
        """Start the isolated server and wait until it is at the target, or has ended. Raises with its own words."""
        user = self.cluster.as_user
        control = self.execute(
            f"LC_ALL=C; export LC_ALL\n{user(self.stanza.restored.controldata())} </dev/null\n", 15.0
        ).stdout
        settings = "".join(
            f"{CAPACITIES[name.strip()]} = {value.strip()}\n"
            for name, _colon, value in (line.partition(":") for line in control.splitlines())
            if name.strip() in CAPACITIES
        )
        self._stop_restored()
        log = f"{self.stanza.run_directory}/postgresql.log"
        prepare = self.note("restore", json.dumps({**plan, "phase": "recovering"}))
        prepare += self._write("postgresql.conf", settings) + f"{user(['/usr/bin/rm', '-f', log])} </dev/null\n"
        self.begin("restored", self.stanza.serve(), prepare)
        while not self._at_rest():
            time.sleep(LONG_WORK_POLL_SECONDS)
        said = read.recovery(self.read(log))
        segment = int(said.last_segment[8:], 16) if said.last_segment else None
        number = self._number(choice, said.last_segment) if segment is not None else None
        wrong = prove.not_reached(choice, said, number)
        if wrong:
            self._stop_restored()
            reason = prove.reason_of(said.fatal) if said.fatal else "recovery_incomplete"
            message = f"the restore of {choice.backup.label} from repository {choice.repository} did not reach "
            raise MemberError(f"{message}{choice.target}: {wrong}", reason, recovery=asdict(said))
        return said

    def _number(self, choice: Choice, segment: str) -> int:
        archive = self._repository(self.ask(), choice.repository).archive
        return archive.number(segment) if archive else -1

    @staticmethod
    def _repository(answer: Answer, key: int) -> Repository:
        return next(each for each in answer.repositories if each.key == key)

    def _at_rest(self) -> bool:
        """It waits at the target, was promoted, or has ended."""
        unit = shlex.quote(self.stanza.unit("restored"))
        ask = psql(self.stanza.restored, prove.STATE, 5, redirect="2>/dev/null ")
        output = self.look(f"echo unit=$(systemctl show -p SubState --value {unit})\n{ask}\n")
        state = observe.json_of(output.stdout)
        if state is not None:
            return bool(not state["recovery"] or state["paused"])
        return "unit=running" not in output.stdout.splitlines()

    def _prove(self, choice: Choice, wanted: Wanted, log: read.Recovery, answer: Answer) -> dict[str, Any]:
        """Read everything once and ask the plan's own questions; stop; check every page. Raises unless all is well."""
        state = self._state(answer, choice)
        at = float(choice.target.at) if choice.target.kind == "time" and choice.target.at is not None else None
        seen = self._asked(wanted, at)
        wrong = list(prove.unproven(choice, seen, wanted.canary))
        result: dict[str, Any] = {
            "stopped": log.stopped or f"end of the log, last commit {log.last_commit}",
            "counts": seen.counts,
            "checks": [{"query": check.query, "answer": text} for check, text in seen.checks],
            "restored_timeline": state["timeline"],
            "newest_row_age_seconds": _age(seen, at or log.stopped_at or (answer.now if log.promoted else None)),
        }
        if wrong:
            self._stop_restored()
            raise MemberError(f"{self.stanza.aside}: {'; '.join(wrong)}", "not_proven", unproven=wrong, **result)
        self.long("dump", self.stanza.dump(), "dump_failed")
        self._stop_restored()
        result["checksums"] = state["checksums"]
        if state["checksums"] == "on":
            self.long("checksums", self.stanza.checksums(), "checksums_failed")
        return result

    def _state(self, answer: Answer, choice: Choice) -> dict[str, Any]:
        output = self.look(f"{psql(self.stanza.restored, prove.STATE, 10)}")
        state = observe.json_of(output.stdout)
        if state is None:
            raise MemberError(f"the restored server does not answer: {output.stderr.strip()[-300:]}", "not_proven")
        wanted = answer.system_ids.get(choice.repository)
        if state["system_id"] != wanted:
            message = f"the restored cluster is {state['system_id']}, the repository's is {wanted}"
            raise MemberError(message, "other_cluster")
        return state

    def _asked(self, wanted: Wanted, at: float | None) -> prove.Shown:
        restored = self.stanza.restored
        listed = self.look(f"{psql(restored, prove.DATABASES, 10)}").stdout
        databases = (observe.json_of(listed) or {}).get("databases") or []
        text = prove.questions(databases, wanted.checks, wanted.canary, at)
        output = self.look(psql(restored, text, READ_SECONDS), READ_SECONDS + 5)
        return prove.shown(read.sections(output.stdout), wanted.checks, output.stderr.strip()[-300:])

    def _stop_restored(self) -> None:
        """Stop the restored server if it runs; nothing else can be running on the directory."""
        stop = self.cluster.as_user(self.stanza.stop_restored())
        status = self.cluster.as_user(self.stanza.restored.status())
        self.act(
            f"if {status} >/dev/null 2>&1 </dev/null; then {stop} >/dev/null 2>&1 </dev/null || "
            '{ echo "@@failed stop_restored"; exit 1; }; fi\n',
            90,
        )

    def discarded(self) -> dict[str, Any]:
        """Stop and delete what was restored, and only that."""
        noted = self.ask().restore
        if noted and noted.get("phase") == "swapping":
            hint = "run the same restore in place again: it goes on where that ended"
            message = f"a swap on {self.cluster.member} was cut off, and what it moves would be deleted"
            raise MemberRefused(Refusal("swap_cut_off", "swapping", "proven, or swapped", message, hint))
        if noted is None or self.check_mode:
            return {"changed": noted is not None, "state": "absent", "directory": self.stanza.aside}
        self._stop_restored()
        remove = self.cluster.as_user(["/usr/bin/rm", "-rf", self.stanza.aside, self.stanza.run_directory])
        self.act(f'{remove} </dev/null || {{ echo "@@failed remove"; exit 1; }}\nrm -f "$state/restore"\n', 600)
        return {"changed": True, "state": "absent", "directory": self.stanza.aside}


def _request(wanted: Wanted) -> dict[str, Any]:
    return {"target": str(wanted.target), "repository": wanted.repository, "wanted_timeline": wanted.timeline}


def same_request(noted: Mapping[str, Any], wanted: Wanted) -> bool:
    """What is noted on the member was asked for in the same words."""
    return all(noted.get(key) == value for key, value in _request(wanted).items())


def _age(seen: prove.Shown, until: float | None) -> float | None:
    """How much older than the target the canary's newest row is: what a restore really lost. None: nobody knows."""
    newest = (seen.canary or {}).get("newest")
    return round(until - float(newest), 3) if newest is not None and until is not None else None
