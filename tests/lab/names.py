# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The zone seen from outside: what each name server answers, and how to put the records back."""

from __future__ import annotations

from collections.abc import Mapping

import credentials
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
from say import LabError, wait
from topology import CLUSTERS, PRIMARY, TTL_SECONDS, ZONE, machine, name_servers

SERVERS: Mapping[str, str] = {known.name: known.address for known in name_servers()}


def ask(server: str, name: str, kind: str) -> str:
    """The sorted answer of one server, C(-) for none, or C(no answer) when it does not talk within two seconds.

    Asked twice: on a busy machine a packet gets lost, and a look at the lab would tell of a server that is silent.
    """
    query = dns.message.make_query(name, kind)
    query.flags &= ~dns.flags.RD
    for last in (False, True):
        try:
            reply = dns.query.udp(query, SERVERS[server], timeout=1.0)
            break
        except (dns.exception.DNSException, OSError):
            if last:
                return "no answer"
    if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return dns.rcode.to_text(reply.rcode())
    wanted = dns.rdatatype.from_text(kind)
    values = [str(item) for answer in reply.answer if answer.rdtype == wanted for item in answer]
    return " ".join(sorted(values)) or "-"


def restore() -> None:
    """Point every service at the first site, remove the guards, and wait until all servers say so."""
    name = dns.name.from_text("continuity")
    key = dns.tsig.Key(name, credentials.secret("tsig_continuity"), dns.tsig.HMAC_SHA256)
    update = dns.update.UpdateMessage(ZONE, keyring={name: key})
    for one in CLUSTERS:
        update.replace(dns.name.from_text(one.record), TTL_SECONDS, "A", machine(PRIMARY).address)
        update.delete(dns.name.from_text(one.guard), "TXT")
    try:
        reply = dns.query.tcp(update, SERVERS["ns0"], timeout=5.0)
    except (dns.exception.DNSException, OSError) as error:
        raise LabError(f"ns0 took no update: {error}") from error
    if reply.rcode() != dns.rcode.NOERROR:
        raise LabError(f"ns0 answered {dns.rcode.to_text(reply.rcode())} to the lab's own update")
    wait("all name servers answer as at the start", _restored, 20)


def _restored() -> bool:
    return all(
        ask(server, one.record, "A") == machine(PRIMARY).address and ask(server, one.guard, "TXT") == "-"
        for server in SERVERS
        for one in CLUSTERS
    )
