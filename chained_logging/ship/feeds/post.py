"""One POST to a feed, and what its answer means for the shipper."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Final

from chained_logging.errors import DestinationError, NetError, Refused
from chained_logging.net.client import Answer, Client

_TIMEOUT: Final = 30.0  # seconds for an exchange
_LIMIT: Final = 1 << 20  # bytes of an answer
_LATER: Final = frozenset({408, 425, 429})


def post(client: Client, name: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send a batch, and return the answer if the receiver has taken it.

    :param name: the receiver's, for messages.
    :raises DestinationError: if it may take the batch later.
    :raises Refused: if it will not.
    """
    try:
        answer = client.post(url, body, headers, timeout=_TIMEOUT, limit=_LIMIT)
    except (OSError, NetError, http.client.HTTPException) as error:
        raise DestinationError(f"{name}: {error or type(error).__name__}") from error
    if 200 <= answer.status < 300:
        return answer
    said = f"{name} answered {answer.status}"
    if answer.status >= 500 or answer.status in _LATER:
        raise DestinationError(f"{said}: try again later")
    if answer.status < 400:
        raise Refused(f"{said}: redirects are not followed: name the final URL")
    raise Refused(
        f"{said}: it does not take these entries: check the URL, the secret and its limits"
    )
