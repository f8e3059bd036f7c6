# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How each fault is tried; tests/faults/catalogue.py says which is which."""

from __future__ import annotations
