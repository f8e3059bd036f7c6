# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of the network fence have in common."""

from __future__ import annotations


class ModuleDocFragment:
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
