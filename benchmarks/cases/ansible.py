# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible itself costs: a playbook with one task that does nothing."""

from __future__ import annotations

import time

from benchmarks import commands
from benchmarks.case import Acted, Case
from benchmarks.where import HERE


class DebugPlaybook(Case):
    """One `debug` task on localhost."""

    name = "ansible_debug_playbook"
    title = "ansible-playbook with one debug task"
    measure = "wall_seconds"
    floor = "ansible_debug_playbook"

    def act(self) -> Acted:
        """Start to end."""
        began = time.monotonic_ns()
        ran = commands.ansible(["ansible-playbook", "-i", "localhost,", str(HERE / "playbooks" / "debug.yml")])
        return Acted(began, ran.seconds, controller=ran.controller)


CASES: tuple[Case, ...] = (DebugPlaybook(),)
