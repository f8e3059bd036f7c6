# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put proven restored data in the place of the production data, which is kept beside until it is released."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils import lease as leases
from ansible_collections.continuity.dr.plugins.plugin_utils.backup import observe, prove, read
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.restore import (
    PROVEN,
    READ_SECONDS,
    Restorer,
    Wanted,
    same_request,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import (
    LONG_WORK_POLL_SECONDS,
    RENEW_FOR_SECONDS,
    MemberError,
    MemberRefused,
)


class Swapper(Restorer):
    """The member whose primary is replaced."""

    def in_place(self, wanted: Wanted, confirm: str | None, seconds: float) -> dict[str, Any]:
        """Stop the primary for good, swap the data, have it promoted. Without the typed word only show the loss.

        Until the restored data is started the old one is put back when something fails. A swap that was cut off is gone
        on with: which of the three directories are there says how far it came.
        """
        noted = self.ask().restore or {}
        if not same_request(noted, wanted) or noted.get("phase") not in PROVEN:
            if self.check_mode:  # neither was it restored aside, which comes before
                return {"changed": True, "state": "in_place", "kept": self.stanza.kept, "timeline": None}
            hint = "restore it aside first: only what was proven is put in place"
            raise MemberRefused(Refusal("restore_not_proven", str(noted.get("phase") or "none"), "proven", "", hint))
        if noted["phase"] == "swapped":
            return {**noted["swap"], "changed": False}
        result = {**noted["result"], "changed": True, "state": "in_place", "kept": self.stanza.kept}
        if noted["phase"] == "proven":
            loss = self.loss(noted["result"])
            if confirm != self.service:
                message = f"{self.cluster.member} would lose what is listed as loss"
                hint = f"look at the loss, then add -e confirm={self.service}"
                refusal = Refusal("not_confirmed", confirm or "nothing typed", self.service, message, hint)
                raise MemberRefused(refusal, loss=loss)
            result["loss"] = loss
            if self.check_mode:
                return result
            self._nothing_kept()
            self._held()
            self._freeze(seconds)
            noted = {**noted, "phase": "swapping", "result": {**noted["result"], "loss": loss}}
            self.act(self.note("restore", json.dumps(noted)))
        if self.check_mode:
            return result
        self._held()
        self._swap(seconds)
        server = self._serving(seconds)
        result.update(timeline=server["timeline"], system_id=server["system_id"])
        said = {"record": self._record(), "server": {key: server[key] for key in ("timeline", "position", "system_id")}}
        result["promotion"] = {**said["record"], **said["server"]}
        result["next"] = "rejoin the replicas, then make a full backup; release the kept data when nobody needs it"
        self.act(
            self._settled()
            + self.note("promotion", json.dumps(said, sort_keys=True))
            + self.note("restore", json.dumps({**noted, "phase": "swapped", "swap": result}))
        )
        self._same_as_proven(noted)
        return result

    def _held(self) -> None:
        """Comparing every row may take long: what nobody took meanwhile is held anew before the next step."""
        if self.lease is not None:
            self._run(leases.renew_script(self.lease, RENEW_FOR_SECONDS), 5)

    def _record(self) -> dict[str, Any]:
        """The promotion record: a replica must not take the branch that was left for the newer one."""
        lease = self.lease
        return {
            "member": self.cluster.member,
            "service": self.service,
            "time": time.time(),
            "run_id": lease.run_id if lease else None,
            "epoch": lease.epoch if lease else None,
            "restored": True,
        }

    def loss(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Rows by table that the running primary has and the restored data has not (or the other way round)."""
        listed = self.look(act.psql(self.cluster, prove.DATABASES, 10)).stdout
        databases = (observe.json_of(listed) or {}).get("databases")
        if databases is None:
            return {"known": False, "why": "the primary does not answer, so nobody can compare"}
        text = prove.questions(databases, (), None, None)
        output = self.look(act.psql(self.cluster, text, READ_SECONDS), READ_SECONDS + 5)
        now = prove.shown(read.sections(output.stdout), (), output.stderr.strip()[-300:])
        tables = []
        for database in sorted({*now.counts, *result["counts"]}):
            have, get = now.counts.get(database, {}), result["counts"].get(database, {})
            for table in sorted({*have, *get}):
                if have.get(table) != get.get(table):
                    entry = {"database": database, "table": table, "now": have.get(table), "restored": get.get(table)}
                    tables.append(entry)
        return {"known": not now.error, "why": now.error, "tables": tables, "target": result["target"]}

    def _nothing_kept(self) -> None:
        if self.is_there(self.stanza.kept):
            hint = "look at it, then release it: restore with state=released"
            message = "the data that an earlier restore kept is still there"
            raise MemberRefused(Refusal("kept_data_present", self.stanza.kept, "not there", message, hint))

    def _freeze(self, seconds: float) -> None:
        """Stop and mask the primary. What it still holds is kept, so even an unclean stop may go on."""
        try:
            self.stopped(None, seconds)
        except MemberError as error:
            if error.reason != "unclean_stop":
                raise

    def _swap(self, seconds: float) -> None:
        """Move the directories, each move only where it is still to be done, then start; put all back if that fails."""
        user, data = self.cluster.as_user, self.cluster.data_directory
        there = {path: user(["/usr/bin/test", "-e", path]) for path in (data, self.stanza.kept, self.stanza.aside)}
        keep = user(["/usr/bin/mv", "-T", data, self.stanza.kept])
        swap = user(["/usr/bin/mv", "-T", self.stanza.aside, data])
        begin = self.cluster.as_root(["/usr/bin/systemctl", "start", self.cluster.unit])
        unmask = self.cluster.as_root(["/usr/bin/systemctl", "unmask", self.cluster.unit])
        script = f"""
! {act.running(self.cluster)} || exit 0
{there[self.stanza.kept]} </dev/null || {keep} </dev/null || {{ echo "@@failed keep"; exit 1; }}
if {there[self.stanza.aside]} </dev/null; then
  {swap} </dev/null || {{ echo "@@failed swap"; exit 1; }}
fi
{self._production_settings()}
{unmask} >/dev/null 2>&1 </dev/null
timeout -k 1 {seconds:g} {begin} </dev/null || {{ echo "@@failed start"; exit 1; }}
"""
        try:
            self.act(script, seconds + 30)
        except MemberError:
            if not self._promoted():
                self._put_back(seconds)
                raise

    def _promoted(self) -> bool:
        """It took writes already, however its start ended: from here on nothing goes back."""
        ask = act.psql(self.cluster, prove.STATE, 5, redirect="2>/dev/null ")
        state = observe.json_of(self.look(ask).stdout)
        return state is not None and not state["recovery"]

    def _production_settings(self) -> str:
        """It archives again, fetches the log like the production cluster, and is promoted where it stopped.

        Nobody has to confirm its commits: whoever did follows the data that is replaced.
        """
        auto = self.cluster.recovery_settings()
        clean = self.cluster.as_user(self.stanza.clean_for_start(auto))
        fetch = " ".join([*self.stanza.pgbackrest("archive-get", "%f"), '"%p"'])
        lines = f"restore_command = '{fetch}'\nrecovery_target_action = 'promote'\n"
        lines += "synchronous_standby_names = ''\n"
        tee = self.cluster.as_user(["/usr/bin/tee", "-a", auto])
        failed = '{ echo "@@failed settings"; exit 1; }'
        return f"{clean} </dev/null && printf '%s' {shlex.quote(lines)} | {tee} >/dev/null || {failed}"

    def _settled(self) -> str:
        """What only the recovery needed is taken out again: a replica cloned from here would stop at the old target."""
        auto = self.cluster.recovery_settings()
        clean = self.cluster.as_user(self.stanza.clean_after_start(auto))
        reload = act.psql(self.cluster, "checkpoint; select pg_reload_conf();", 120, "reload")
        return f'{clean} </dev/null || {{ echo "@@failed settings"; exit 1; }}\n{reload}\n'

    def _put_back(self, seconds: float) -> None:
        """The old data serves again; the restored one is where it was."""
        user, data = self.cluster.as_user, self.cluster.data_directory
        stop = self.cluster.as_root(["/usr/bin/systemctl", "stop", self.cluster.unit])
        there = user(["/usr/bin/test", "-e", self.stanza.kept])
        self.act(
            f"""
{stop} >/dev/null 2>&1 </dev/null
if {there} </dev/null; then
  {user(["/usr/bin/mv", "-T", data, self.stanza.aside])} </dev/null
  {user(["/usr/bin/mv", "-T", self.stanza.kept, data])} </dev/null || {{ echo "@@failed put_back"; exit 1; }}
fi
""",
            60,
        )
        noted = self.ask().restore or {}
        self.act(self.note("restore", json.dumps({**noted, "phase": "proven"})))
        self._run(act.start_again(self.service, self.lease, self.cluster, seconds), seconds + 10)

    def _serving(self, seconds: float) -> dict[str, Any]:
        """Wait until it is a primary. From here on nothing goes back."""
        deadline = time.monotonic() + seconds
        while True:
            ask = act.psql(self.cluster, prove.STATE, 5, redirect="2>/dev/null ")
            state = observe.json_of(self.look(ask).stdout)
            if state is not None and not state["recovery"]:
                return state
            if time.monotonic() > deadline:
                message = (
                    f"{self.cluster.member} was started on the restored data and is no primary after {seconds:g} s"
                )
                raise MemberError(f"{message}; look at its log, then run the verb again", "not_promoted")
            time.sleep(LONG_WORK_POLL_SECONDS)

    def _same_as_proven(self, noted: Mapping[str, Any]) -> None:
        """What serves now holds what was proven. Clients write already, so only what is fewer is wrong."""
        difference = self.loss(noted["result"])
        fewer = [each for each in difference.get("tables") or () if (each["now"] or 0) < (each["restored"] or 0)]
        if fewer:
            raise MemberError(
                f"{self.cluster.member} serves and does not hold what was proven: {fewer[:5]}", "not_equal"
            )

    def released(self, confirm: str | None) -> dict[str, Any]:
        """Delete the data that a restore in place kept."""
        present = self.is_there(self.stanza.kept)
        result = {"changed": present, "state": "released", "kept": self.stanza.kept}
        if not present or self.check_mode:
            return result
        if confirm != self.service:
            hint = f"add -e confirm={self.service}: it cannot be brought back"
            refusal = Refusal("not_confirmed", confirm or "nothing typed", self.service, "data would be deleted", hint)
            raise MemberRefused(refusal)
        remove = self.cluster.as_user(["/usr/bin/rm", "-rf", self.stanza.kept])
        again = self.cluster.as_user(["/usr/bin/rm", "-rf", self.stanza.run_directory])
        failed = '{ echo "@@failed remove"; exit 1; }'
        self.act(f'{remove} </dev/null && {again} </dev/null || {failed}\nrm -f "$state/restore"\n', 600)
        return result
