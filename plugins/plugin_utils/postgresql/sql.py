# Copyright: the continuity.dr contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The SQL that runs on members, through the member's own ``psql`` and on its standard input.

Positions are bytes since 0/0 (``bigint``). A value that reaches SQL is an ``int`` or goes through ``literal``.
"""

from __future__ import annotations

#: The timeline that a standby follows. Its control file tells of a new one minutes late, at its next restartpoint: once
#: its primary is gone, the log it holds is what tells how far it followed.
_FOLLOWED = """coalesce(
      (select received_tli from pg_stat_wal_receiver where status = 'streaming'),
      (select greatest(c.timeline_id, r.min_recovery_end_timeline,
        (select max(('x' || substr(name, 1, 8))::bit(32)::int) from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'))
        from pg_control_checkpoint() c, pg_control_recovery() r))"""

#: Who has a `synchronous_commit` of their own, by ALTER ROLE or ALTER DATABASE, in any database of the cluster.
_OVERRIDES = """(
      select coalesce(json_agg(json_build_object('role', case when setrole <> 0 then pg_get_userbyid(setrole) end,
        'database', (select datname from pg_database where oid = setdatabase), 'setting', split_part(own, '=', 2))
        order by setrole, setdatabase), '[]')
      from pg_db_role_setting, unnest(setconfig) own where split_part(own, '=', 1) = 'synchronous_commit')"""

#: Everything one member can say of one cluster, as one JSON object. ``primary_conninfo`` may hold a password,
#: so only its host and port leave the server.
OBSERVE = r"""
set statement_timeout = '2s';
with here as (select pg_is_in_recovery() as recovery)
select json_build_object(
  'recovery', recovery,
  'up_seconds', extract(epoch from clock_timestamp() - pg_postmaster_start_time()),
  'system_id', (select system_identifier::text from pg_control_system()),
  'timeline', case when recovery then @@FOLLOWED@@
    else ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int end,
  'version', current_setting('server_version'),
  'data_directory', current_setting('data_directory'),
  'pid', split_part(@@HERE@@, chr(10), 1)::int,
  'started', @@HERE_BEGAN@@,
  'started_there', @@THERE_BEGAN@@,
  'current', case when not recovery then (pg_current_wal_flush_lsn() - '0/0')::bigint end,
  'received', case when recovery then (pg_last_wal_receive_lsn() - '0/0')::bigint end,
  'replayed', case when recovery then (pg_last_wal_replay_lsn() - '0/0')::bigint end,
  'replay_paused', case when recovery then pg_is_wal_replay_paused() else false end,
  'apply_delay', (select setting from pg_settings where name = 'recovery_min_apply_delay'),
  'last_commit', extract(epoch from pg_last_xact_replay_timestamp()),
  'now', extract(epoch from clock_timestamp()),
  'read_only', current_setting('default_transaction_read_only')::boolean,
  'receiver', (select json_build_object('status', status, 'host', sender_host, 'port', sender_port,
      'last_message', extract(epoch from last_msg_receipt_time), 'latest_end', (latest_end_lsn - '0/0')::bigint)
      from pg_stat_wal_receiver),
  'followers', (select coalesce(json_agg(json_build_object('name', application_name, 'address', host(client_addr),
      'state', state, 'sync', sync_state, 'flushed', (flush_lsn - '0/0')::bigint)), '[]')
      from pg_stat_replication),
  'commits', (select json_build_object('setting', setting, 'source', source, 'overrides', @@OVERRIDES@@)
      from pg_settings where name = 'synchronous_commit'),
  'settings', (select json_object_agg(name, setting) from pg_settings where name in ('full_page_writes',
      'wal_log_hints', 'data_checksums', 'synchronous_standby_names', 'max_connections', 'max_worker_processes',
      'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction',
      'archive_mode')),
  'archiver', (select json_build_object('failing',
      coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false)) from pg_stat_archiver),
  'ready', case when current_setting('archive_mode') <> 'off' then
      (select count(*) from pg_ls_archive_statusdir() where name like '%.ready') else 0 end,
  'base_backups', (select count(*) from pg_stat_progress_basebackup),
  'standby_signal', (pg_stat_file('standby.signal', true)).size is not null,
  'sessions', (select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid())
) from here;
""".replace("@@FOLLOWED@@", _FOLLOWED).replace("@@OVERRIDES@@", _OVERRIDES)


def observe(data_directory: str) -> str:
    """``OBSERVE``, which also tells which server runs on the plan's data directory, by its process and when it began.

    The server itself looks: neither a symbolic link nor the rights on the directory make a difference, and a server
    that was killed there may have left the number of a process that is another one's by now.
    """
    there = literal(f"{data_directory}/postmaster.pid")
    return (
        OBSERVE.replace("@@HERE_BEGAN@@", _began(_postmaster("'postmaster.pid'")))
        .replace("@@THERE_BEGAN@@", _began(_postmaster(there)))
        .replace("@@HERE@@", _postmaster("'postmaster.pid'"))
    )


def _postmaster(path: str) -> str:
    """The lines of a postmaster.pid, null where there is none. As bytes: the path in it may be in any encoding."""
    return f"encode(pg_read_binary_file({path}, 0, 8192, true), 'escape')"


def _began(lines: str) -> str:
    return f"split_part({lines}, chr(10), 1) || ' ' || split_part({lines}, chr(10), 3)"


#: The branch a primary is on, as its own timeline history says: where each earlier timeline ended.
#: Between two checkpoints the segment is switched, which `archive_timeout` could else do in the next moment: a rewind
#: then ends behind the header of a segment into which an idle primary writes nothing, and its member waits in vain.
HISTORY = r"""
checkpoint;
do $s$ begin if current_setting('archive_mode') <> 'off' then perform pg_switch_wal(); end if; end $s$;
checkpoint;
select json_build_object('timeline', t.timeline, 'control_timeline', (select timeline_id from pg_control_checkpoint()),
  'system_id', (select system_identifier::text from pg_control_system()),
  'position', (pg_current_wal_flush_lsn() - '0/0')::bigint, 'history', case when t.timeline > 1 then
  pg_read_file('pg_wal/' || lpad(upper(to_hex(t.timeline)), 8, '0') || '.history') else '' end)
from (select ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int as timeline) t;
"""

#: Client sessions on a server, to be listed before it is stopped: who will have to reconnect.
SESSIONS = r"""
select coalesce(json_agg(json_build_object('user', usename, 'database', datname, 'client', host(client_addr),
  'application', application_name)), '[]') from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid();
"""

#: What is stopped for good is a primary: a replica that was named by mistake is left as it is.
ONLY_A_PRIMARY = """do $continuity$ begin if pg_is_in_recovery() then
  raise exception 'continuity not_a_primary: this server is a replica, there is nothing to demote';
end if; end $continuity$;
"""

_PROMOTE = r"""
do $continuity$
declare
  until timestamptz := clock_timestamp() + interval '%(seconds)s seconds';
  proof bigint := %(proof)s;
  proven_timeline int := %(timeline)s;
  own_timeline int;
begin
  if not pg_is_in_recovery() then return; end if;
  if proven_timeline is not null then
    own_timeline := %(own_timeline)s;
    if own_timeline <> proven_timeline then
      raise exception 'continuity other_timeline: the standby is on timeline %%, the old primary stopped on %%',
        own_timeline, proven_timeline;
    end if;
  end if;
  -- Decided while nothing arrived any more: who sends now was taken for gone, and takes writes
  if %(detached)s and exists (select from pg_stat_wal_receiver where status = 'streaming') then
    raise exception 'continuity primary_seen: the standby receives from %% again',
      (select sender_host || ':' || sender_port from pg_stat_wal_receiver);
  end if;
  -- The shutdown checkpoint of the frozen primary begins at the proof: it must be here, past its beginning.
  while proof is not null and coalesce((pg_last_wal_receive_lsn() - '0/0')::bigint, 0) <= proof loop
    if clock_timestamp() > until then
      raise exception 'continuity not_received: the standby received %%, the old primary stopped at %%',
        coalesce((pg_last_wal_receive_lsn() - '0/0')::bigint, 0), proof;
    end if;
    perform pg_sleep(0.001);
  end loop;
  perform pg_promote(false);
  while pg_is_in_recovery() loop
    if clock_timestamp() > until then raise exception 'continuity not_promoted: still in recovery'; end if;
    perform pg_sleep(0.002);
  end loop;
end $continuity$;
"""


_PROMOTED = r"""
select json_build_object('timeline', ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int,
  'position', (pg_current_wal_flush_lsn() - '0/0')::bigint,
  'system_id', (select system_identifier::text from pg_control_system()), 'recovery', pg_is_in_recovery(),
  'writable', not pg_is_in_recovery() and not current_setting('transaction_read_only')::boolean);
"""


def promote(proof: int | None, timeline: int | None, seconds: float, detached: bool = False) -> str:
    """Wait until the frozen primary's last position has arrived, promote, wait until it takes writes.

    One session does all of it: no client starts and no round trip lies between the proof and the promotion.
    ``proof`` None promotes what is there (the old primary is dead and nothing more can arrive). A proof of another
    ``timeline`` than the standby's own says nothing about what the standby holds. ``detached``: refuse while anybody
    sends log to it.
    """
    return _PROMOTE % {
        "proof": "null" if proof is None else int(proof),
        "timeline": "null" if timeline is None else int(timeline),
        "own_timeline": _FOLLOWED,
        "detached": "true" if detached else "false",
        "seconds": float(seconds),
    }


def promote_unprotected(proof: int | None, timeline: int | None, seconds: float, detached: bool = False) -> str:
    """``promote``, and nobody has to confirm commits any more: whoever did was the old primary.

    The setting is written before and loaded after the promotion. A reload right before it would wake the recovery,
    which then tries to connect once more, and a promotion that arrives meanwhile waits for
    ``wal_retrieve_retry_interval``. Where an earlier session was lost between the two, the setting is loaded now.
    """
    return (
        "select current_setting('synchronous_standby_names') as protection, pg_is_in_recovery() as promote \\gset\n"
        "\\echo @@protection :protection\n"
        "select :'protection' <> '' and :'promote' = 't' as lift, :'protection' <> '' and (:'promote' = 't' or (select "
        "setting from pg_file_settings where name = 'synchronous_standby_names' order by seqno desc limit 1) = '') "
        "as load \\gset\n"
        f"\\if :lift\n{_set_synchronous([])}\\endif\n\\if :promote\n\\echo @@changed\n\\endif\n"
        f"{promote(proof, timeline, seconds, detached)}\\if :load\nselect pg_reload_conf();\n\\endif\n{_PROMOTED}"
    )


def synchronous_names(names: list[str]) -> str:
    """Set who must confirm a commit; with none no commit waits for a dead standby."""
    return f"{_set_synchronous(names)}select pg_reload_conf();\n"


def _set_synchronous(names: list[str]) -> str:
    return f"alter system set synchronous_standby_names = {literal(standby_names(names))};\n"


def await_synchronous(names: list[str]) -> str:
    """Wait until one named standby is synchronous and no other one that is attached still counts as asynchronous.

    The server takes the names over a moment after they are set, and who looks sooner sees asynchronous standbys. A
    session learns of a changed setting only between two statements, so each look is one of its own: as many as fit
    into 5 s. That none comes is no failure here, whoever looks next sees it.
    """
    if not names:
        return ""
    named = f"application_name in ({', '.join(literal(name) for name in names)})"
    look = f"""select not coalesce(bool_or(sync_state in ('sync', 'quorum')) and bool_and(sync_state <> 'async'), false)
  as missing from pg_stat_replication where {named} \\gset
"""
    again = "\\if :missing\nselect pg_sleep(0.05) as slept \\gset\n" + look + "\\endif\n"
    return look + again * 100


def standby_names(names: list[str]) -> str:
    """The setting's value: each name quoted as an identifier.

    >>> standby_names(["db1", "db2"])
    '"db1", "db2"'
    """
    return ", ".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(value: str) -> str:
    """Quote a text for SQL; backslashes are taken literally (standard_conforming_strings is on).

    >>> literal("it's")
    "'it''s'"
    """
    if "\x00" in value:
        raise ValueError("a text for SQL must not hold a NUL character")
    return "'" + value.replace("'", "''") + "'"


def position_text(position: int | None) -> str:
    """A position in the server's own notation.

    >>> position_text(0x1_0000_00A0)
    '1/A0'
    """
    return "unknown" if position is None else f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def position_bytes(text: str) -> int:
    """The other way round: ``'1/A0'`` is 4294967456."""
    high, _slash, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
