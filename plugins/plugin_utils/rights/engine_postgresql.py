# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the role engine_postgresql needs: commands on the members, roles in the database, lines of pg_hba.conf."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.continuity.dr.plugins.plugin_utils.canary.config import quoted_name, quoted_table
from ansible_collections.continuity.dr.plugins.plugin_utils.canary.errors import CanaryError
from ansible_collections.continuity.dr.plugins.plugin_utils.postgresql.cluster import Cluster, Upstream, sudo_rules
from ansible_collections.continuity.dr.plugins.plugin_utils.rights import Known, Rights, Service

#: What pg_rewind reads a running primary with
REWIND = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)
CANARY_TABLE = "continuity_canary"


def rights(service: Service, part: Mapping[str, Any], known: Known) -> Rights:
    """Each member's commands name its own directories and the other members; both may be primary."""
    members = service["members"]
    clusters = {member["host"]: Cluster.from_member(member) for member in members}
    upstreams = {member["host"]: Upstream.from_member(member) for member in members}
    sudo = {
        host: sudo_rules(cluster, [up for peer, up in upstreams.items() if peer != host], known.logins[host])
        for host, cluster in clusters.items()
    }
    try:
        canary = _canary_sql(service["canary"]) if service.get("canary") else []
    except CanaryError as error:
        raise ValueError(str(error)) from None
    name = service["name"]
    files = {
        f"{name}.sql": [*_replication_sql(name, clusters, upstreams), *canary],
        f"{name}.pg_hba.conf": _client_authentication(service, upstreams),
    }
    return Rights(sudo, {host: [cluster.unit] for host, cluster in clusters.items()}, files)


def _replication_sql(name: str, clusters: Mapping[str, Cluster], upstreams: Mapping[str, Upstream]) -> list[str]:
    ports = ", ".join(f"{cluster.port} on {host}" for host, cluster in clusters.items())
    lines = [
        f"-- The roles of {name}, made once, on the primary, by a superuser: psql -X -v ON_ERROR_STOP=1 -f {name}.sql",
        f"-- Port: {ports}. No password is set here: \\password ROLE in psql does not send it in clear.",
        "\\connect postgres",
    ]
    for user in dict.fromkeys(upstream.user for upstream in upstreams.values()):
        lines.append(_create_role(user, "LOGIN REPLICATION"))
        lines += [f"GRANT EXECUTE ON FUNCTION {function} TO {quoted_name(user)};" for function in REWIND]
    return lines


def _canary_sql(canary: Mapping[str, Any]) -> list[str]:
    role, table = quoted_name(canary["role"]), quoted_table(canary.get("table") or CANARY_TABLE)
    return [
        _create_role(canary["role"], "LOGIN CONNECTION LIMIT 10"),
        f"GRANT CONNECT ON DATABASE {quoted_name(canary['database'])} TO {role};",
        f"\\connect {quoted_name(canary['database'])}",
        f"CREATE TABLE IF NOT EXISTS {table} (",
        "    run_id text NOT NULL, seq bigint NOT NULL,",
        "    written_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (run_id, seq));",
        f"GRANT USAGE ON SCHEMA {table.partition('.')[0] if '.' in table else 'public'} TO {role};",
        f"GRANT SELECT, INSERT ON {table} TO {role};",
    ]


def _create_role(role: str, attributes: str) -> str:
    """One line that psql runs only where the role is not there yet."""
    statement = f"CREATE ROLE {quoted_name(role)} {attributes}".replace("'", "''")
    literal = role.replace("'", "''")
    return f"SELECT '{statement}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{literal}') \\gexec"


def _client_authentication(service: Service, upstreams: Mapping[str, Upstream]) -> list[str]:
    lines = [
        f"# {service['name']}, on every member: who may replicate, rewind and clone, from where. postgres itself needs",
        "# the line: local all postgres peer",
    ]
    for upstream in upstreams.values():
        address = _with_mask(upstream.host)
        lines += [
            f"host {database} {upstream.user} {address} scram-sha-256" for database in ("replication", "postgres")
        ]
    canary = service.get("canary")
    if canary:
        lines.append("# The canary writes from the controller; put its address here.")
        lines.append(f"# host {canary['database']} {canary['role']} ADDRESS-OF-THE-CONTROLLER scram-sha-256")
    return list(dict.fromkeys(lines))


def _with_mask(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"{address}/{address.max_prefixlen}"
