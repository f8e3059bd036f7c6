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
from ansible_collections.continuity.dr.plugins.plugin_utils.backup import contents, observe, prove, swap_script
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.search import Searcher
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.wanted import PROVEN, Wanted, same_request
from ansible_collections.continuity.dr.plugins.plugin_utils.core.evidence import Evidence
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql import act
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import (
    LONG_WORK_POLL_SECONDS,
    RENEW_FOR_SECONDS,
    MemberError,
    MemberRefused,
)


class Swapper(Searcher):
    """The member whose primary is replaced."""

    #: what its result is called, and what a swap that was cut off is noted as
    state = "in_place"

    def in_place(self, wanted: Wanted, confirm: str | None, seconds: float) -> dict[str, Any]:
        """Stop the primary for good, swap the data, have it promoted. Without the typed word only show the loss.

        Until the restored data is started the old one is put back when something fails. A swap that was cut off is gone
        on with: which of the three directories are there says how far it came.
        """
        noted = found = self.noted(self.ask())
        if not same_request(noted, wanted) or noted.get("phase") not in PROVEN:
            if self.check_mode:  # neither was it restored aside, which comes before
                return {"changed": True, "state": self.state, "kept": self.stanza.kept, "timeline": None}
            hint = "restore it aside first: only what was proven is put in place"
            raise MemberRefused(Refusal("restore_not_proven", str(noted.get("phase") or "none"), "proven", "", hint))
        if noted["phase"] == "swapped":
            return {**noted["swap"], "changed": False}
        self._same_kind(noted)
        if noted["phase"] == "swapping" and self.is_there(self.stanza.aside) and not self.is_there(self.stanza.kept):
            # Nothing was moved, so what was there may have been started again and serve since
            noted = {**noted, "phase": "proven"}
        result = {**noted["result"], "changed": True, "state": self.state, **self.told_of(noted["result"])}
        if noted["phase"] == "proven":
            self._movable()
            loss = self.loss(noted["result"])
            if confirm != self.service:
                hint = f"look at the loss, then add -e confirm={self.service}"
                refusal = Refusal(
                    "not_confirmed", confirm or "nothing typed", self.service, self.would_lose(loss), hint
                )
                raise MemberRefused(refusal, loss=loss)
            if self.check_mode:
                return {**result, "loss": loss}
            self._nothing_began(found)
            evidence = dict.fromkeys([*result.get("evidence", ()), *self.make_way(seconds)])  # once, after a second try
            told = {"loss": loss, "evidence": list(evidence)}
            noted = {**noted, "phase": "swapping", "as": self.state, "result": {**noted["result"], **told}}
            result.update(told)
            self.act(self.note("restore", json.dumps(noted)))
        if self.check_mode:
            return result
        self._held()
        self._swap(noted, seconds)
        server = self._serving(seconds)
        result.update(timeline=server["timeline"], system_id=server["system_id"])
        said = {"record": self._record(), "server": {key: server[key] for key in ("timeline", "position", "system_id")}}
        result["promotion"] = {**said["record"], **said["server"]}
        result["next"] = "rejoin the replicas, then make a full backup; release the kept data when nobody needs it"
        self.act(
            swap_script.settled(self.stanza)
            + self.note("promotion", json.dumps(said, sort_keys=True))
            + self.note("restore", json.dumps({**noted, "phase": "swapped", "swap": result}))
        )
        self._same_as_proven(noted)
        return result

    def _nothing_began(self, found: Mapping[str, Any]) -> None:
        """Comparing may take long, and a restore beside the data needs no lease: another one may have begun."""
        if self.noted(self.ask()) != found:
            hint = "let it end, then run the verb again"
            message = f"another run began to restore on {self.cluster.member} meanwhile"
            raise MemberRefused(Refusal("restore_not_proven", "another restore", "proven", message, hint))

    def _movable(self) -> None:
        """What was restored can take the place of the data in one step, and all of it lies in its one directory."""
        aside, data = shlex.quote(self.stanza.aside), shlex.quote(self.cluster.data_directory)
        output = self.look(f'stat -c %d {aside} "$(dirname {data})" 2>/dev/null; stat -c %d {data} 2>/dev/null\n')
        if len(set(output.stdout.split())) > 1:
            hint = f"name a restore_directory beside {self.cluster.data_directory}, or mount one file system for both"
            message = "moving the restored data would be a copy while nothing serves"
            limit = "the file system of the data directory and of what holds it"
            raise MemberRefused(Refusal("other_file_system", self.stanza.aside, limit, message, hint))
        if self.is_there(self.stanza.tablespaces):
            hint = "restore it by hand: pgbackrest restore with a --tablespace-map for each of them"
            message = "tablespaces are proven beside the data and not put in place"
            raise MemberRefused(Refusal("tablespaces", self.stanza.tablespaces, "none", message, hint))

    def _same_kind(self, noted: Mapping[str, Any]) -> None:
        """A swap that was cut off is ended by what began it: the one keeps what was there, the other found nothing."""
        begun = noted.get("as", Swapper.state) if noted["phase"] == "swapping" else self.state
        if begun != self.state:
            message = f"a swap on {self.cluster.member} was cut off"
            raise MemberRefused(Refusal("swap_cut_off", begun, self.state, message, "run the verb as it was begun"))

    def told_of(self, _proven: Mapping[str, Any]) -> dict[str, Any]:
        """What else an operator must know of the result."""
        return {"kept": self.stanza.kept}

    def would_lose(self, loss: Mapping[str, Any]) -> str:
        """What the typed word is for: seconds, and the tables that hold other rows then."""
        tables = [_would_change(each) for each in loss.get("tables") or ()]
        rows = f", rows of {'; '.join(tables[:5])}" if tables else ""
        more = f" and of {len(tables) - 5} more tables" if len(tables) > 5 else ""
        since = "an unknown time" if loss.get("seconds") is None else f"{loss['seconds']:.0f} s"
        return f"{self.cluster.member} would lose what was written in the last {since}{rows}{more}"

    def make_way(self, seconds: float) -> list[str]:
        """Stop the primary for good, and the evidence that it is; from here on its data may be moved."""
        if not self.is_there(f"{self.cluster.data_directory}/PG_VERSION"):
            hint = "where no member has data: restore_mode=rebuild"
            message = f"{self.cluster.member} has no data that could be replaced"
            raise MemberRefused(Refusal("nothing_to_replace", "no PG_VERSION", "the primary's data", message, hint))
        self._nothing_kept()
        self._held()
        self._freeze(seconds)
        return [str(self._fenced(seconds))]

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
        """What the swap would lose."""
        return contents.compared(self, result)

    def _nothing_kept(self) -> None:
        if self.is_there(self.stanza.kept):
            hint = f"look at it, then release it: -e restore_mode=release -e confirm={self.service}"
            message = "the data that an earlier restore kept is still there"
            raise MemberRefused(Refusal("kept_data_present", self.stanza.kept, "not there", message, hint))

    def _freeze(self, seconds: float) -> None:
        """Stop and mask the primary. What it still holds is kept, so even an unclean stop may go on."""
        try:
            self.stopped(None, seconds)
        except MemberError as error:
            if error.reason != "unclean_stop":
                self.serve_again(seconds)
                raise

    def _fenced(self, seconds: float) -> Evidence:
        """What a fence on the machine reads back as well: the stop's own word proves nothing. Else it serves again."""
        unit, data = self.cluster.unit, self.cluster.data_directory
        runs = f"if {act.running(self.cluster)}; then echo server=a; else echo server=no; fi"
        masked = f"echo unit=$(systemctl show -p LoadState --value {shlex.quote(unit)})"
        said = observe.pairs(self.look(f"{masked}\n{runs}\n").stdout)
        text = f"{unit} is {said.get('unit') or 'unknown'}, {said.get('server', 'maybe a')} server runs on {data}"
        if (said.get("unit"), said.get("server")) == ("masked", "no"):
            return Evidence(self.cluster.member, "restore", "stopped", 3, True, 3, text, time.time())
        self.serve_again(seconds)
        raise MemberError(f"{self.cluster.member} is not fenced and serves as before: {text}", "not_fenced")

    def _swap(self, noted: Mapping[str, Any], seconds: float) -> None:
        """Move the directories, then start; put all back if that fails."""
        ended = noted["result"].get("ended", noted["target"] == "latest")
        try:
            self.act(swap_script.in_place(self.stanza, self.moved_away(), ended, seconds), seconds + 30)
        except MemberError:
            if self.is_there(self.stanza.aside) or not self._promoted():
                self._put_back(seconds)
                raise

    def moved_away(self) -> str:
        """Shell text that keeps what was there, where that is still to be done."""
        return swap_script.keep(self.stanza)

    def _promoted(self) -> bool:
        """It took writes already, however its start ended: from here on nothing goes back."""
        ask = act.psql(self.cluster, prove.STATE, 5, redirect="2>/dev/null ")
        state = observe.json_of(self.look(ask).stdout)
        return state is not None and not state["recovery"]

    def _put_back(self, seconds: float) -> None:
        """What was there before is there again; the restored data is where it was."""
        self.act(swap_script.put_back(self.stanza), 60)
        noted = self.ask().restore or {}
        self.act(self.note("restore", json.dumps({**noted, "phase": "proven"})))
        self.serve_again(seconds)

    def serve_again(self, seconds: float) -> None:
        """The old data serves again."""
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
                message = f"{self.cluster.member} runs on the restored data and is no primary after {seconds:g} s"
                raise MemberError(f"{message}; look at its log, then run the verb again", "not_promoted")
            time.sleep(LONG_WORK_POLL_SECONDS)

    def _same_as_proven(self, noted: Mapping[str, Any]) -> None:
        """What serves now holds what was proven. Clients write already, so only what is fewer is wrong."""
        difference = contents.compared(self, noted["result"])
        fewer = [each for each in difference.get("tables") or () if (each["now"] or 0) < (each["restored"] or 0)]
        if fewer or not difference["known"]:
            found = fewer[:5] or f"nobody could compare: {difference['why']}"
            raise MemberError(f"{self.cluster.member} serves and does not hold what was proven: {found}", "not_equal")

    def released(self, confirm: str | None) -> dict[str, Any]:
        """Delete the data that a restore in place kept."""
        self._swap_ended(self.ask().restore or {})
        present = self.is_there(self.stanza.kept)
        result = {"changed": present, "state": "released", "kept": self.stanza.kept}
        if not present or self.check_mode:
            return result
        if confirm != self.service:
            hint = f"add -e confirm={self.service}: it cannot be brought back"
            refusal = Refusal("not_confirmed", confirm or "nothing typed", self.service, "data would be deleted", hint)
            raise MemberRefused(refusal)
        self.act(swap_script.release(self.stanza), 600)
        return result


def _would_change(table: Mapping[str, Any]) -> str:
    """A table's rows now and restored, and how many of those of now were inserted or changed since."""
    since = f" ({table['written']} written since)" if table.get("written") else ""
    return f"{table['database']} {table['table']} {table['now']} -> {table['restored']}{since}"
