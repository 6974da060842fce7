"""What is written into supervisord's file, for the lab's own one and for Airflow's."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_HEAD = """\
[unix_http_server]
file = {run}/supervisor.sock
chmod = 0600

[supervisord]
logfile = {logs}/supervisord.log
logfile_maxbytes = 5MB
pidfile = {run}/supervisord.pid
childlogdir = {logs}
directory = /
user = root

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""

# Nothing starts by itself: the order is the lab's. What dies later is started again.
_PROGRAM = """
[program:{name}]
command = {command}
directory = {directory}
autostart = false
autorestart = true
startsecs = 1
startretries = 20
stopsignal = {signal}
stopwaitsecs = {patience}
stopasgroup = {group}
killasgroup = true
redirect_stderr = true
stdout_logfile = {logs}/{name}.log
stdout_logfile_maxbytes = 20MB
stdout_logfile_backups = 1
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One program, with its whole command."""

    name: str
    command: Sequence[str]
    directory: Path = Path("/")
    stop_signal: str = "TERM"
    stop_group: bool = True
    patience_s: int = 10


def written(entries: Iterable[Entry], run: Path, logs: Path) -> str:
    """The text of the file. `run` holds the socket and the pid, `logs` all output."""
    sections = (
        _PROGRAM.format(
            name=entry.name,
            command=shlex.join(entry.command).replace("%", "%%"),
            directory=entry.directory,
            signal=entry.stop_signal,
            patience=entry.patience_s,
            group=str(entry.stop_group).lower(),
            logs=logs,
        )
        for entry in entries
    )
    return "".join([_HEAD.format(run=run, logs=logs), *sections])
