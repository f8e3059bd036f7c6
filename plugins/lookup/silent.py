# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What to ask, and whom, about members that give no answer."""

from __future__ import annotations

DOCUMENTATION = r"""
name: silent
short_description: What to ask about members that give no answer
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - V(fences) gives one entry for each fence of a service and each member that it is to be asked about. In a failover
    those are the members that gave no answer, in every other stage all of them.
  - V(witnesses) gives one entry for each member that gave no answer and each machine that is to look at it. Those are
    the members that did answer and the plan's C(witnesses); the controller looks at the same time as the first of them
    (C(controller_too)), or alone. In stages that promote nobody there is none.
  - Part of the verbs; without a run, and for a host that is no service, it returns nothing.
options:
  _terms:
    description: V(fences) or V(witnesses), the service, and the stage.
    required: true
"""

EXAMPLES = r"""
- name: Which members are silent?
  ansible.builtin.debug:
    msg: "{{ lookup('continuity.dr.silent', 'witnesses', inventory_hostname, 'failover') }}"
"""

RETURN = r"""
_raw:
  description:
    - A list of C({fence, member, reachable, units, ports}), or of
      C({vantage, controller_too, member, addresses, ports}).
  type: list
  elements: raw
"""

from collections.abc import Sequence
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.continuity.dr.plugins.plugin_utils import questions, run


class LookupModule(LookupBase):
    def run(self, terms: Sequence[str], variables: Any = None, **kwargs: Any) -> list[list[Any]]:
        what, name, stage = terms
        current = run.current()
        if current is None or name not in current.services:
            return [[]]
        asked = questions.for_witnesses if what == "witnesses" else questions.for_fences
        return [asked(current.services[name], (variables or {}).get("hostvars") or {}, stage, current.started)]
