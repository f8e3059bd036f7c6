# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a fence agent says of itself: the options it takes, which of them it needs, and what it can do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

#: Without these nothing can be proven.
NEEDED_ACTIONS = ("off", "status")
#: Whose off is a message to the member, or about its guests, and not its power.
NO_POWER = ("fence_sbd", "fence_evacuate")
#: Options that are not the plan's to set, each with the reason.
REFUSED = {
    "action": "the role sets it",
    "nodename": "name the plug with the agent's own option",
    "help": "the agent would do nothing else",
    "version": "the agent would do nothing else",
}
TRUE = ("1", "true", "yes", "on")


class NotMetadata(ValueError):
    """What the agent printed is no description of itself."""


@dataclass(frozen=True)
class Metadata:
    """One agent's description."""

    name: str
    #: option -> the older name it replaces, or ""
    options: Mapping[str, str]
    required: frozenset[str]
    actions: frozenset[str]


def parse(text: str) -> Metadata:
    """Read an agent's description. Raises NotMetadata.

    >>> parse('<resource-agent name="a"><actions><action name="off"/></actions></resource-agent>').actions
    frozenset({'off'})
    """
    try:
        root = ElementTree.fromstring(text[text.index("<") :])
    except (ElementTree.ParseError, ValueError) as error:
        raise NotMetadata(f"its metadata is no XML: {error}") from None
    if root.tag != "resource-agent":
        raise NotMetadata(f"its metadata begins with <{root.tag}>, not <resource-agent>")
    parameters = {entry.get("name", ""): entry for entry in root.iter("parameter")}
    return Metadata(
        name=root.get("name", ""),
        options={name: entry.get("obsoletes") or "" for name, entry in parameters.items()},
        required=frozenset(name for name, entry in parameters.items() if _needed(entry)),
        actions=frozenset(action.get("name", "") for action in root.iter("action")),
    )


def _needed(entry: ElementTree.Element) -> bool:
    """Agents also call needed what they have a default for."""
    content = entry.find("content")
    default = content is not None and content.get("default") is not None
    return entry.get("required") == "1" and not entry.get("deprecated") and not default


def findings(metadata: Metadata, options: Mapping[str, str]) -> Iterator[str]:
    """Every reason why this agent cannot be used with these options. Values are never shown: any may be a secret."""
    for action in NEEDED_ACTIONS:
        if action not in metadata.actions:
            yield f"{metadata.name} has no action {action}: what it does cannot be read back"
    # What cuts a switch's port or a disk's reservation has nothing that it could boot again
    if "reboot" not in metadata.actions or metadata.name in NO_POWER:
        yield f"{metadata.name} switches no power: its off does not prove that the machine is off"
    for name, value in options.items():
        if name in REFUSED:
            yield f"option {name}: {REFUSED[name]}; leave it out"
        elif name not in metadata.options:
            near = difflib.get_close_matches(name, metadata.options, n=1)
            meant = f' (did you mean "{near[0]}"?)' if near else ""
            allowed = ", ".join(sorted(set(metadata.options) - set(REFUSED)))
            yield f"option {name}: {metadata.name} has none of this name{meant}; allowed: {allowed}"
        elif any(ord(letter) < 32 for letter in value) or value != value.strip():
            yield f"option {name}: a line break, a control character or a space at an end would not reach the agent"
    yield from _dangerous(options)
    for name in sorted(metadata.required - set(REFUSED)):
        if name not in options and metadata.options[name] not in options:
            yield f"option {name}: is missing, {metadata.name} needs it"


def _dangerous(options: Mapping[str, str]) -> Iterator[str]:
    """Options with which an agent would say off, or end, without the machine being off."""
    if options.get("missing_as_off", "").lower() in TRUE:
        yield "option missing_as_off: a plug that does not exist would count as off; allowed: leave it out"
    if options.get("method", "onoff") != "onoff":
        yield "option method: a machine that is switched off and on again is not off; allowed: onoff"
