"""HTTP under XML-RPC: status codes, Connection: close, and a body that is no call."""

from tests.contract import raw_http
from tests.contract.cloud import Cloud
from tests.contract.registry import scenario


@scenario()
def every_answer_closes_the_connection(cloud: Cloud) -> None:
    """Even when the client asks for keep-alive; CRLF line ends, fixed headers, one array."""
    for name in ("http/01-post-keepalive.txt", "http/02-post-close.txt"):
        raw_http.repeat(cloud, name)
    cloud.seen.append(("HTTP", 200))


@scenario()
def other_requests_have_their_status(cloud: Cloud) -> None:
    """405 for GET, 404 for another path, 411 without a length, fault -503 for a body of no XML."""
    for name in (
        "http/03-get.txt",
        "http/04-post-wrong-path.txt",
        "http/05-post-bad-xml.txt",
        "http/06-post-no-length.txt",
    ):
        status = raw_http.repeat(cloud, name)
        cloud.seen.append(("HTTP", status if status != 200 else -503))
