# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""report.html and history.html: pages that need no network, drawn and written from report.json alone."""

from __future__ import annotations
