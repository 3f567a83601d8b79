"""What an answer means for the shipper."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest
from authority import Web
from feed_records import web
from programs import free_port

from chained_logging.errors import DestinationError, Refused
from chained_logging.net.client import Client
from chained_logging.ship.feeds.post import post


def sent(url: str) -> bytes:
    with Client() as client:
        return post(client, "the feed", url, b"body", {"a": "b"}).body


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_is_taken_is_acknowledged(status: int) -> None:
    with web(status, b"" if status == 204 else b"thanks") as server:
        assert sent(server.url) == (b"" if status == 204 else b"thanks")
        assert server.asked[0][2] == b"body"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_be_taken_later_is_tried_again(status: int) -> None:
    with web(status) as server, pytest.raises(DestinationError, match=f"answered {status}"):
        sent(server.url)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
def test_what_is_never_taken_is_an_alert(status: int) -> None:
    with web(status) as server, pytest.raises(Refused, match=f"the feed answered {status}"):
        sent(server.url)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with web(status) as server, pytest.raises(Refused, match="name the final URL"):
        sent(server.url)


def test_no_answer_is_an_outage() -> None:
    with pytest.raises(DestinationError, match="the feed: "):
        sent(f"http://127.0.0.1:{free_port()}/")

    def hang_up(handler: BaseHTTPRequestHandler, _: bytes) -> None:
        handler.connection.close()

    with Web(hang_up) as server, pytest.raises(DestinationError, match="the feed: "):
        sent(server.url)
