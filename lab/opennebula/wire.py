"""/RPC2: HTTP as xmlrpc-c's Abyss speaks it, around the calls."""

import socket
import time
from collections.abc import Callable
from email.utils import formatdate

from lab.opennebula.http import Gone, Request, cut, read_request, send
from lab.opennebula.listener import Listener
from lab.opennebula.switchboard import Switchboard

MAX_CONN = 15
IDLE = 15.0  # seconds until a connection that sends nothing is dropped

_PAGE = (
    "<HTML><HEAD><TITLE>Error {code}</TITLE></HEAD><BODY><H1>Error {code}</H1><P>{text}</P>"
    '<p><HR><b><i><a href="http://xmlrpc-c.sourceforge.net">ABYSS Web Server for XML-RPC For '
    "C/C++</a></i></b> version 1.33.14<br></p></BODY></HTML>"
)
_REFUSALS = {
    404: (
        "Not Found",
        "This XML-RPC For C/C++ Abyss XML-RPC server responds to only one URI path.  I don't know "
        "what URI path that is, but it's not the one you requested: '{path}'.  (Typically, it's "
        "'/RPC2')",
    ),
    405: ("Method Not Allowed", "POST is the only HTTP method this server understands"),
    411: ("Length Required", "You must send a content-length HTTP header in an XML-RPC call."),
}


class LostAnswer(Exception):
    """Cut the connection, do not answer."""


class XmlRpcServer:
    """Serves `call(body) -> body` on /RPC2. At most 15 connections at a time."""

    def __init__(
        self, address: tuple[str, int], call: Callable[[bytes], bytes], board: Switchboard
    ) -> None:
        self.call, self.board = call, board
        self.listener = Listener(address, MAX_CONN, self._serve)

    def _serve(self, conn: socket.socket) -> None:
        self.board.connected(+1)
        try:
            conn.settimeout(IDLE)
            self._answer(conn, read_request(conn))
        except Gone:
            pass
        except LostAnswer:
            cut(conn)
        finally:
            self.board.connected(-1)

    def _answer(self, conn: socket.socket, request: Request) -> None:
        code = _refusal(request)
        if code:
            status, text = _REFUSALS[code]
            page = _PAGE.format(code=code, text=text.format(path=request.path)).encode()
            head = [f"HTTP/1.1 {code} {status}", "Content-type: text/html"]
            send(conn, [*head, *_common()], page)
            return
        body = self.call(request.body)
        head = ["HTTP/1.1 200 OK", "Content-type: text/xml; charset=utf-8"]
        send(conn, [*head, f"Content-length: {len(body)}", *_common()], body)


def _refusal(request: Request) -> int:
    if request.method != "POST":
        return 405
    if request.path != "/RPC2":
        return 404
    return 0 if request.has_length else 411


def _common() -> list[str]:
    date = formatdate(time.time(), usegmt=True).replace("GMT", "UTC")
    return ["Connection: close", f"Date: {date}", "Server: Xmlrpc-c_Abyss/1.33.14"]
