"""Check an audit log written by ``chained_logging``, with this one file and nothing else.

For an auditor: copy this file to any computer with Python 3.9 or later and run ::

    python3 verify.py audit.jsonl

A log is a JSON Lines file (also compressed with gzip), an SQLite database, or several files that
hold one chain, named in any order; sealed segments beside a log are found by its name. The kind of
a file is seen from its content, not its name. A folder means each log in it and below, such as a
copy of what was shipped to S3. Only temporary files are written, and nothing is sent anywhere.

The exit code is 0 if the log is intact, 1 if it was tampered with or is not whole, and 2 if it
could not be checked. Every break is listed; ``--json`` prints the same for a program.

What is checked: every entry has the form that ``docs/format.md`` specifies, its hash is that of
its content, and it holds the hash of the entry before it, from the first entry to the last. Where
the log was signed: every checkpoint beside it has the root of the entries that it covers (RFC 6962)
and the signature of the key of its time, from the first key to the last.

What no check of the file alone can show: that entries were cut off its end, or that all of it was
rewritten, with a key of the writer's. For that, keep something elsewhere, and name it: a
checkpoint (``--checkpoint``), the first public key (``--public-key``), the key of a witness that
cosigned checkpoints (``--witness-key``), the root certificate of an authority that timestamped them
(``--timestamp-root``), or a hash (``--to-hash``).

Hashes need the standard library alone. Signatures need the package ``cryptography``, which ``uv run
verify.py`` and ``pipx run verify.py`` bring; without it they are not checked, and the report says
so. Timestamps need the program ``openssl``. A log is never called intact if something that was
asked for was not checked.
"""

from __future__ import annotations

import argparse
import array
import base64
import bisect
import contextlib
import datetime
import functools
import gc
import heapq
import ipaddress
import itertools
import json
import operator
import os
import re
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256 as _sha256
from json.encoder import encode_basestring as _quote
from typing import Any, BinaryIO, Callable, NamedTuple, NoReturn

try:  # half of the time; without it, the same is found
    import orjson as _orjson
except ImportError:
    _orjson = None  # type: ignore[assignment]  # tested for before each use
