"""HAProxy 2.6 with sessions that stick to a member, and the program that keeps its file true."""

from __future__ import annotations

from lab.services.base import Service, give, listens, write
from lab.services.certificates import BALANCER, CLIENT
from lab.settings import BALANCER_IP, CHECKOUT, POOLS, SERVICES_IP, Places
from lab.supervisor import Program

API_PORT = 9443

# A member's failure is answered by asking again: at first the same member, which has the session;
# only the last of the three attempts goes elsewhere (`option redispatch` without a number).
# A POST is never repeated (`disable-l7-retry` in the frontend).
# A check may take 2 s to be answered: without `timeout check` that is `inter`, half a second, and a
# VM that is slow for one second was taken for dead, its release for bad.
DEFAULTS = """\
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout http-keep-alive 10s
    timeout check 2s
    option redispatch
    option idle-close-on-response
    retries 3
    retry-on conn-failure empty-response response-timeout 500
"""

# Sessions stick by a table on the application's own cookie: a server that is added at run time
# may not have a `cookie` of its own in 2.6. The table survives a reload by way of its peer, itself.
#
# The runtime API goes out through mutual TLS: `ssl` on a stats socket is accepted and ignored.
# Machines have certificates of the same CA, so the client's name is checked as well.
_CONFIGURATION = """\
global
    stats socket {home}/admin.sock mode 600 level admin expose-fd listeners
    stats timeout 10m
    localpeer lb1
    nbthread 2
    maxconn 2000
    log stdout format raw local0 notice
    hard-stop-after 60s

{defaults}
peers lab
    peer lb1 127.0.0.1:10000

{pools}
frontend runtime_api
    mode tcp
    bind {address}:{port} ssl crt {home}/lb.pem ca-file {home}/ca.pem verify required
    tcp-request content reject unless {{ ssl_c_s_dn(CN) -m str {client} }}
    default_backend runtime_api

backend runtime_api
    mode tcp
    server cli unix@{home}/admin.sock

listen stats
    bind {services}:8404
    stats enable
    stats uri /
    http-request use-service prometheus-exporter if {{ path /metrics }}
"""

# All traffic to members comes from one address, which is the one that their firewalls let in.
_POOL = """\
frontend web_{name}
    bind {address}:80
    http-request disable-l7-retry if METH_POST
    default_backend {name}

backend {name}
    balance leastconn
    source {source}
    option httpchk GET /health
    http-check expect status 200
    stick-table type string len 32 size 100k expire 30m peers lab
    stick match req.cook(SESSIONID)
    stick store-response res.cook(SESSIONID)
    default-server check inter 500ms fastinter 200ms rise 2 fall 2 pool-purge-delay 1s
    # BEGIN snowmelt members {name}
    # END snowmelt members {name}
"""


def service(places: Places) -> Service:
    """Ready means: the balancer's address accepts connections."""
    home = places.of("haproxy")
    command = ["/usr/sbin/haproxy", "-W", "-S", str(home / "master.sock")]
    return Service(
        program=Program(
            name="haproxy",
            command=[*command, "-f", str(home / "haproxy.cfg"), "-p", str(home / "pid")],
        ),
        prepare=lambda: _prepare(places),
        ready=lambda: listens(BALANCER_IP, 80) and listens(BALANCER_IP, API_PORT),
        needs=("certificates",),
    )


def members(places: Places) -> Service:
    """The shipped program that writes the members back into haproxy.cfg."""
    home = places.of("haproxy")
    program = home / "snowmelt-members"  # a copy: the checkout may be closed to the lab's account
    options = ["--socket", str(home / "admin.sock"), "--config", str(home / "haproxy.cfg")]
    return Service(
        program=Program("members", ["/usr/bin/python3", str(program), *options, "watch"]),
        prepare=lambda: None,
        ready=lambda: (home / "admin.sock").exists(),
        needs=("haproxy",),
    )


def pools() -> str:
    """The frontend and the backend of each pool."""
    return "\n".join(
        _POOL.format(name=name, address=address, source=BALANCER_IP)
        for name, address in POOLS.items()
    )


def _prepare(places: Places) -> None:
    home, ssl = places.of("haproxy"), places.of("puppet") / "ssl"
    text = _CONFIGURATION.format(
        defaults=DEFAULTS,
        home=home,
        address=BALANCER_IP,
        services=SERVICES_IP,
        pools=pools(),
        port=API_PORT,
        client=CLIENT,
    )
    write(home / "haproxy.cfg", text)
    certificate = (ssl / "certs" / f"{BALANCER}.pem").read_text()
    private = (ssl / "private_keys" / f"{BALANCER}.pem").read_text()
    issuer = (ssl / "certs" / "ca.pem").read_text()
    write(home / "lb.pem", certificate + private, 0o600)
    write(home / "ca.pem", issuer)
    shipped = CHECKOUT / "contrib" / "haproxy" / "snowmelt-members"
    write(home / "snowmelt-members", shipped.read_text(), 0o755)
    give(home)
    home.chmod(0o700)  # HAProxy makes its master socket with the umask's rights
