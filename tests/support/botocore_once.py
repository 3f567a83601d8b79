"""What botocore knows of S3 is read once in a process, not once for each store that is opened.

It is two megabytes of JSON. To read it takes ten times what most of a test's calls take.
"""

from __future__ import annotations

import functools

import boto3
import botocore.session

botocore.session.create_loader = functools.cache(botocore.session.create_loader)


def read() -> None:
    """Read it now, so that processes which are forked have it."""
    boto3.session.Session().client(
        "s3", region_name="us-east-1", aws_access_key_id="-", aws_secret_access_key="-"
    )
