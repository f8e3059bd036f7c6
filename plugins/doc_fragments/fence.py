# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of the fences have in common."""

from __future__ import annotations


class ModuleDocFragment:
    # Of the network fence's: who is isolated.
    TARGET = r"""
options:
  service:
    description: The service that is to be isolated.
    type: str
    required: true
  member:
    description: Name of the member that carries it.
    type: str
    required: true
  addresses:
    description:
      - Every IP address at which clients could reach the service there. An address that is left out is not isolated.
    type: list
    elements: str
    required: true
  ports:
    description: The service's TCP ports there.
    type: list
    elements: int
    required: true
"""

    # Each module adds to `source` its own name as the default.
    EVIDENCE = r"""
options:
  required:
    description: With O(state=proven), fail unless the proof is there.
    type: bool
    default: true
  source:
    description: The name under which the evidence is kept; a plan with several fences tells them apart by it.
    type: str
"""

    # Of the fences that work from outside: no lease on the member stops a run that slept.
    NOT_AFTER = r"""
options:
  not_after:
    description: >-
      Unix time by the controller's clock until which the run's claim holds: RV(ignore:usable_until) of
      M(continuity.dr.dns_claim). Later nothing is fenced (rule C(lease_expired)), since another run may have moved the
      service meanwhile, and this member serve it.
    type: float
"""
