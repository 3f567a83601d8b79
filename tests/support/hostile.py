"""JSON and gzip that nobody's software wrote."""

from __future__ import annotations

import gzip

GENESIS = (
    b'{"action":"log.open","actor_id":"chained_logging","actor_type":"system",'
    b'"context":{"format":1,"origin":"example.com/web","public_key":"k"},"id":"x",'
    b'"prev_hash":"GENESIS","seq":0,"v":1}'
)


MEMBER = gzip.compress(b"{}\n")
GZIP = {
    "two members": MEMBER * 2,
    "something after it": MEMBER + b"junk",
    "cut short": MEMBER[:-4],
    "a bomb": gzip.compress(bytes(200 << 20), 9),
    "a bomb of members": gzip.compress(bytes(1 << 20), 9) * 200,
    "a wrong checksum": MEMBER[:-8] + bytes(8),
    "none": b"{}\n",
}
