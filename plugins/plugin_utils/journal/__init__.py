# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The journal of a run: one file a service, one JSON object a line, written as things happen.

Example:
    append(run.directory, run.run_id, "payments-db", "promote", "started", {"stage": "failover"})
    entries = read(path_of(run.directory, "payments-db"))
    problems = verify(path_of(run.directory, "payments-db"))   # [] when nothing was edited, removed or torn
"""

from __future__ import annotations

from ansible_collections.continuity.dr.plugins.plugin_utils.journal.chain import Problem, check
from ansible_collections.continuity.dr.plugins.plugin_utils.journal.file import (
    STATES,
    JournalError,
    append,
    path_of,
    read,
    verify,
)
from ansible_collections.continuity.dr.plugins.plugin_utils.journal.mask import MASK, mask

__all__ = ["MASK", "STATES", "JournalError", "Problem", "append", "check", "mask", "path_of", "read", "verify"]
