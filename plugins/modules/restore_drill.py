# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: restore_drill
short_description: Judge a restore drill against the plan and against its own controls
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - Compares how long each restore took with the RTO, and how old its newest row is with the RPO.
  - Fails where a negative control did not end with its own reason, since a drill that takes damage for a good backup
    proves nothing.
  - Changes nothing.
options:
  service:
    description: Name of the service.
    type: str
    required: true
  restores:
    description: One entry for each copy that was restored, with C(copy), C(seconds) and C(newest_row_age_seconds).
    type: list
    elements: dict
    required: true
  controls:
    description: One entry for each control, with C(name), C(copy), C(expected) and C(seen).
    type: list
    elements: dict
    default: []
  rto_seconds:
    description: The longest that a restore may take; without it any time will do.
    type: float
  rpo_seconds:
    description: How old the newest row may be; without it any age will do. With it an age that nobody knows fails.
    type: float
attributes:
  check_mode:
    support: full
extends_documentation_fragment:
  - continuity.dr.controller
seealso:
  - module: continuity.dr.pgbackrest_restore
"""

EXAMPLES = r"""
- name: Was it quick enough, and was the damage seen?
  continuity.dr.restore_drill:
    service: shop
    restores: [{copy: 1, seconds: 41.2, newest_row_age_seconds: 12.5}]
    controls: [{name: flipped_byte, copy: 1, expected: restore_failed, seen: restore_failed}]
    rto_seconds: 900
    rpo_seconds: 300
"""

RETURN = r"""
findings:
  description: What stands against it, as sentences; any fails.
  returned: always
  type: list
  elements: str
reason:
  description: V(drill_failed) where anything stands against it.
  returned: failure
  type: str
"""
