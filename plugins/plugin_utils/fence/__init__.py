# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fences that work from outside the member: by its power, and by its network."""

from __future__ import annotations
