# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What services depend on, once the dependencies of their functions are folded in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

Named = Mapping[str, Mapping[str, Any]]


def service_dependencies(functions: Named, services: Named) -> dict[str, list[str]]:
    """For each service the services it depends on: its own list, then those of the functions that its function
    depends on. A function without services passes on what it depends on itself.

    The functions must hold no cycle. Unknown names are left out.
    """
    of_function: dict[str, list[str]] = defaultdict(list)
    for name, service in services.items():
        of_function[str(service.get("function"))].append(name)
    needed: dict[str, list[str]] = {}
    for function in functions:
        _services_needed(function, functions, of_function, needed)
    result = {}
    for name, service in services.items():
        own = service.get("depends_on")
        others = [*(own if isinstance(own, list) else ()), *needed.get(str(service.get("function")), ())]
        result[name] = [other for other in dict.fromkeys(map(str, others)) if other in services]
    return result


def _services_needed(
    function: str, functions: Named, of_function: Mapping[str, list[str]], needed: dict[str, list[str]]
) -> None:
    """Fill `needed[function]`, deepest dependencies first (a stack, since a chain may be longer than Python's)."""
    stack = [function]
    while stack:
        name = stack[-1]
        on = functions[name].get("depends_on")
        others = [other for other in (on if isinstance(on, list) else ()) if other in functions]
        waiting = [other for other in others if other not in needed and not of_function.get(other)]
        if waiting and name not in needed:
            stack.extend(waiting)
            continue
        stack.pop()
        found = [service for other in others for service in of_function.get(other) or needed.get(other, [])]
        needed[name] = list(dict.fromkeys(found))
