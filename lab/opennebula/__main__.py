"""python -m lab.opennebula: the lab's front-end as a process. See README.md for the flags."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from lab.opennebula.server import Addresses, Server
from lab.opennebula.world import Settings


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab.opennebula", description=__doc__)
    parser.add_argument("--state", required=True, type=Path, help="directory for everything")
    parser.add_argument("--listen", required=True, type=_address, help="XML-RPC, ADDR:2633")
    parser.add_argument("--onegate", required=True, type=_address, help="OneGate, ADDR:5030")
    parser.add_argument("--events", required=True, help="event bus, tcp://ADDR:2101")
    parser.add_argument("--admin-socket", required=True, type=Path, help="unix socket, mode 0600")
    parser.add_argument(
        "--password-file",
        "--oneadmin-password-file",
        required=True,
        type=Path,
        help="one line: oneadmin's password",
    )
    parser.add_argument("--onegate-endpoint", help='what guests get; "" = none configured')
    parser.add_argument("--vms", type=Path, help="root of the namespace driver's machines")
    parser.add_argument("--window", type=float, default=10.0, help="scheduler window, seconds")
    parser.add_argument("--window-length", type=int, default=7, help="VMs that end it at once")
    parser.add_argument("--retry", type=float, default=60.0, help="seconds until an unplaced VM")
    parser.add_argument("--step", type=float, default=0.1, help="seconds per dummy operation")
    parser.add_argument("--shutdown-timeout", type=float, default=60.0, help="for a guest, seconds")
    parser.add_argument("--speed", type=float, default=1.0, help="divides every waiting time")
    return parser


def _settings(args: argparse.Namespace) -> Settings:
    rpc, gate = (":".join(map(str, pair)) for pair in (args.listen, args.onegate))
    return Settings(
        window=args.window,
        window_length=args.window_length,
        retry=args.retry,
        speed=args.speed,
        step=args.step,
        shutdown_timeout=args.shutdown_timeout,
        onegate=f"http://{gate}" if args.onegate_endpoint is None else args.onegate_endpoint,
        endpoint=f"http://{rpc}/RPC2",
        vms=args.vms or args.state.parent / "vms",
    )


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    args = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o022)  # the driver writes files that VMs read; our own state folder has mode 0700
    password = args.password_file.read_text().strip().removeprefix("oneadmin:")
    addresses = Addresses(args.listen, args.onegate, args.events, args.admin_socket)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = Server(args.state, password, addresses, _settings(args))
    logging.info("listening on %s:%d", *args.listen)
    server.run(ended)
    return 0


if __name__ == "__main__":
    sys.exit(main())
