# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong with a name server, each with a word a machine can act on and the next thing to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.core.model import Refusal

#: Answer codes of an UPDATE which say that a prerequisite did not hold: somebody else was there first.
PREREQUISITE_CODES = frozenset({"NXRRSET", "YXRRSET", "NXDOMAIN", "YXDOMAIN"})

#: reason -> what it means and what to do next; {server}, {zone}, {key} are filled in.
RCODES = {
    "REFUSED": (
        "refused_acl",
        "{server} refused the change: the key {key} may not change this name and type in {zone}, the zone is frozen, "
        "or the server is a secondary. Compare the zone's update-policy, `rndc thaw` a frozen zone, give the primary",
    ),
    "NOTAUTH": (
        "not_authoritative",
        "{server} is not the primary of {zone}: give the address of the server that accepts updates",
    ),
    "NOTZONE": ("not_zone", "{server} says the name is not in {zone}: give the zone the record really is in"),
    "FORMERR": ("formerr", "{server} could not read the message: it may not speak dynamic update (RFC 2136)"),
    "SERVFAIL": (
        "servfail",
        "{server} could not serve or change {zone}: look in its log (zone not loaded, journal, disk)",
    ),
    "NOTIMP": ("notimp", "{server} does not implement dynamic update (RFC 2136)"),
}
TSIG_ERRORS = {
    16: ("tsig_badsig", "{server} says the signature is wrong: the secret of key {key} differs from the server's"),
    17: (
        "tsig_badkey",
        "{server} does not accept the key {key} with this algorithm: it does not know it, or (Knot DNS says the same) "
        "the key may not do this. Compare name and algorithm, then what the key may change",
    ),
    18: ("tsig_badtime", "{server} refused the time of the message"),
    22: ("tsig_badsig", "{server} refused a shortened signature of key {key}"),
}


class DnsError(Exception):
    """A step at the name server could not be done. ``reason`` is a word, ``fields`` go into the result."""

    def __init__(self, reason: str, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.reason = reason
        self.fields = fields


class BadInput(DnsError):
    """Options that cannot be right; every problem at once, found before anything was contacted."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("bad_input", "nothing was contacted:\n  " + "\n  ".join(problems), problems=list(problems))


class Unreachable(DnsError):
    """No server gave an answer; nothing that changes anything was sent."""

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__("timeout", message, **fields)


class NoReply(DnsError):
    """A change was sent and no answer came: it may or may not have been applied. Read again to know."""

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__("unknown", message, **fields)


class DnsRefused(DnsError):
    """A rule forbids the step; nothing was changed."""

    def __init__(self, refusal: Refusal, **fields: Any) -> None:
        super().__init__(refusal.rule, refusal.message, **fields)
        self.refusal = refusal


def rejected(rcode: str, server: str, zone: str, key: str) -> DnsError:
    """The error for an UPDATE that was answered with ``rcode`` (neither NOERROR nor a failed prerequisite)."""
    reason, text = RCODES.get(rcode, ("unknown", "{server} answered " + rcode + " for {zone}"))
    return DnsError(reason, text.format(server=server, zone=zone, key=key or "(none)"), rcode=rcode, server=server)
