# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A duration as a plan writes it, in seconds."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.continuity.dr.plugins.plugin_utils.core.durations import DurationError, parse_duration

DOCUMENTATION = r"""
name: seconds
short_description: Seconds of a duration such as 90s, 15m, 4h or 7d
version_added: "0.1.0"
author: continuity.dr contributors (@continuity-dr)
description:
  - A duration without a unit is an error, because nobody can tell what it means.
options:
  _input:
    description: The duration, a number and one of C(s), C(m), C(h), C(d) without a space.
    type: str
    required: true
"""

EXAMPLES = r"""
# a wait of your own in the words of a plan
seconds: "{{ '15m' | continuity.dr.seconds }}"
# => 900.0
"""

RETURN = r"""
_value:
  description: The same time in seconds.
  type: float
"""


def seconds(value: Any) -> float:
    """See DOCUMENTATION."""
    try:
        return parse_duration(value, "duration")
    except DurationError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """The filter under its name."""

    def filters(self) -> dict[str, Any]:
        """Return the filter by name, as Ansible asks for it."""
        return {"seconds": seconds}
