"""moto's server, without what takes half of its time and changes none of its answers.

For each listing it copies every object with all its bytes, and for each request it lists the folder
of its services twice.
"""

from __future__ import annotations

import sys

from moto import backends
from moto.s3.models import FakeKey
from moto.server import main


def shown(key: FakeKey, _: object) -> FakeKey:
    """Return an object as a listing shows it: it may say whether it is the newest version, and has
    the bytes of the other one."""
    made = object.__new__(FakeKey)
    made.__dict__.update(key.__dict__)
    return made


FakeKey.__deepcopy__ = shown
del FakeKey.__del__  # which closes bytes that the other one still has
SERVICES = [*backends.list_of_moto_modules()]
backends.list_of_moto_modules = lambda: SERVICES

if __name__ == "__main__":
    main(sys.argv[1:])
