# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Load once, in Ansible's main process, what each of its workers would otherwise load for itself.

A worker is a copy of the main process that lives for one task. The first filter in a template makes it load all filters
that Ansible brings; its connection is loaded and that plugin's documentation parsed as well. An outage waits for that
at each step, and so does each of fifty services.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterable

from ansible.plugins.loader import connection_loader, filter_loader, shell_loader, test_loader


def load(connections: Iterable[str]) -> None:
    """Load Ansible's filters and tests, and these connections with their shell."""
    wanted = [(filter_loader, "bool"), (test_loader, "failed"), (shell_loader, "sh")]
    for loader, name in [*wanted, *((connection_loader, name) for name in connections)]:
        with contextlib.suppress(Exception):  # nothing rests on it: who needs it loads it, or says what is wrong
            loader.get(name, class_only=True)
    # A collection in a worker would touch all that it inherited, and so copy it
    gc.freeze()
