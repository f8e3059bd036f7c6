# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the last time at which the plan's own queries still say that the data is clean.

A mistake stays: what is not clean at one time is taken for not clean at every later one, so half of what is left can be
left out after each try. A try is a restore into the same directory, of which only the files that differ are copied, and
the queries alone; what is found is restored once more and proven as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.backup import contents
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.observe import Answer
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.restore import Restorer
from ansible_collections.continuity.dr.plugins.plugin_utils.backup.wanted import Wanted
from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal
from ansible_collections.continuity.dr.plugins.plugin_utils.core.restore_point import (
    at_time,
    between,
    earliest,
    latest_archived,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.member import MemberError, MemberRefused

#: Near enough: repositories and people keep whole seconds
RESOLUTION_SECONDS = 1.0
#: Twelve days to the second; an older history is searched less finely
TRIES = 20


def silent(_words: str) -> None:
    """Tell nobody."""


class Searcher(Restorer):
    """The member that a search restores on."""

    #: told of each try
    tell: Callable[[str], None] = staticmethod(silent)

    def aimed(self, wanted: Wanted, answer: Answer, noted: Mapping[str, Any]) -> Wanted:
        """Replace ``last_clean`` by the time that was found."""
        if wanted.target.kind != "last_clean":
            return wanted
        copies = [each for each in answer.repositories if wanted.repository in (None, each.key)]
        clean, dirty = earliest(copies), latest_archived(copies)
        if not wanted.checks:
            hint = "add queries to the plan's backup, or name a time"
            message = "nothing tells clean data from other"
            raise MemberRefused(Refusal("no_verification", "no query", "verification", message, hint))
        if self._answers(self.cluster, wanted):
            message = "the data is clean now, as far as the plan's queries tell"
            raise MemberRefused(Refusal("nothing_dirty", "as expected", "another answer", message, "name a time"))
        if clean is None or dirty is None:  # each repository has its own reason, which `chosen` gives
            self.chosen(answer, wanted)
            raise MemberError("no repository tells when its log ends", "no_archive")
        for number in range(1, TRIES + 1):
            middle = between(clean, dirty, RESOLUTION_SECONDS)
            if middle is None:
                break
            found = self._is_clean(replace(wanted, target=at_time(middle)), answer, noted)
            self.tell(f"try {number}: {at_time(middle)} is {'clean' if found else 'not clean'}")
            noted = self.ask().restore or {}
            clean, dirty = (middle, dirty) if found else (clean, middle)
        return replace(wanted, target=at_time(clean))

    def _is_clean(self, wanted: Wanted, answer: Answer, noted: Mapping[str, Any]) -> bool:
        """Whether the queries give what is expected at this time. No commit after it is the state of now: not clean."""
        choice = self.chosen(answer, wanted)
        self.directory.may_be_filled(noted, choice)
        plan = {"target": "last_clean", "tried": str(wanted.target), "label": choice.backup.label}
        self._copy(plan, choice, noted)
        try:
            self._recover(plan, choice, answer)
        except MemberError as error:
            if error.reason == "target_not_reached":
                return False
            raise
        self.server.readable()
        found = self._answers(self.stanza.restored, wanted)
        self.server.stop()
        return found

    def _answers(self, cluster: Cluster, wanted: Wanted) -> bool:
        """Every query gives what is expected. One that fails, as where its table was dropped, does not."""
        seen = contents.shown(self, cluster, checks=wanted.checks)
        return not seen.error and all(answer == check.expect for check, answer in seen.checks)
