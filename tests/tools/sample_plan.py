# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A correct plan in parts, for tests that change it by its text and for those that change what was read from it."""

from __future__ import annotations

HEAD = """\
plugin: continuity.dr.plan
plan: {id: shop, environment: drill}
sites:
  dc1: {use: preferred}
  dc2: {use: recovery}
"""
#: of `payments-db`; it ends with its key, whose secret tests replace
ENDPOINTS = """\
    endpoints:
      - role: continuity.dr.endpoint_rfc2136
        name: payments-db.shop.example.
        zone: shop.example.
        servers: [198.51.100.153]
        ttl: 5s
        key: {name: continuity, secret: "{{ vault_tsig_secret }}"}
"""
SERVICES = (
    """\
services:
  payments-db:
    function: payments
    engine: {role: continuity.dr.engine_postgresql, cluster: 15/main, port: 5432}
    members: [db1, {host: db2, port: 5433}]
"""
    + ENDPOINTS
    + """\
    fence: {role: continuity.dr.fence_systemd}
    backup: {role: continuity.dr.backup_pgbackrest, every: 15m}
    canary: {database: shop, table: canary, role: canary, password: "{{ vault_canary }}", rate: 20}
  accounts-db:
    function: accounts
    engine: {role: continuity.dr.engine_postgresql, cluster: 15/accounts}
    members: [db1, db2]
    objectives: {rpo: 1m}
"""
)
