# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all modules of the collection have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
notes:
  - Of a task that could not be done RV(ignore:reason) names the reason in one word. One that a rule forbids has
    RV(ignore:refused=true) and RV(ignore:refusals), each with C(rule), C(measured), C(limit), C(message) and C(hint).
    Both fail; C(docs/rules.md) explains the rules. Every result has RV(ignore:elapsed_seconds).
attributes:
  check_mode:
    description: Can run in check mode and tell what it would do, without changing anything.
    support: full
  diff_mode:
    description: Returns what changes, before and after, in diff mode.
    support: none
  platform:
    description: Runs in the controller's process; a member needs a POSIX shell only.
    support: full
    platforms: posix
"""
