# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a template is made of, as far as its text tells; Ansible alone can fill it in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

#: What is another thing for each host, or may lead to any variable.
_OF_EACH_HOST = frozenset(
    {
        "ansible_facts",
        "continuity_plan",
        "continuity_service",
        "group_names",
        "groups",
        "hostvars",
        "inventory_hostname",
        "inventory_hostname_short",
        "vars",
    }
)
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every text below `value`, with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, f"{path}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from texts(item, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value


def rests_on(template: str, variables: Mapping[str, Any]) -> frozenset[tuple[str, str]] | None:
    """The variables that a template may name, itself or through others, as they stand: none of them is filled in.

    None: it may be another thing for each host. `rests_on("{{ key }}", {"key": "{{ a }}", "a": 1, "b": 2})` holds
    `("key", "'{{ a }}'")` and `("a", "1")`.
    """
    found: dict[str, str] = {}
    unread = [template]
    while unread:
        for word in _WORD.findall(unread.pop()):
            if word in _OF_EACH_HOST:
                return None
            if word in variables and word not in found:
                found[word] = repr(variables[word])
                unread += [text for _path, text in texts(variables[word], "")]
    return frozenset(found.items())
