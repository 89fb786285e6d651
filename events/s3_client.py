"""The clients of S3: their patience, their errors in one line; imported only where one is asked."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from events.lake import LakeMisplaced, LakeUnavailable

# What an answer says about the place or the rights, not about the moment.
NEEDS_A_PERSON: Final = frozenset(
    {
        "NoSuchBucket", "InvalidBucketName", "AccessDenied", "AllAccessDisabled", "Forbidden",
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken",
        "AuthorizationHeaderMalformed", "PermanentRedirect", "MethodNotAllowed", "NotImplemented",
        "301", "400", "401", "403", "405", "501",
    }
)  # fmt: skip
CREDENTIALS_IN_AN_ADDRESS: Final = re.compile(r"//[^/@\s]*@")


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a request waits for a connection and for bytes (seconds), and how often it is made.

    Between attempts there is a jittered, growing pause.
    """

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    attempts: int = 3


def make_session() -> Any:
    """Return what the AWS_* variables and files configure; nothing is read or sent yet."""
    from botocore.session import Session  # type: ignore[import-untyped]  # it ships no types

    # By itself it does not know the variable that every other SDK reads.
    region = ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None)
    return Session(session_vars={"region": region})


def make_client(session: Any, patience: Patience) -> Any:
    """Return a client of S3; nothing is sent yet.

    Raises LakeMisplaced where what is configured is no address, no region, no profile.
    """
    from botocore.config import Config  # type: ignore[import-untyped]  # it ships no types
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]  # ships none

    config = Config(
        connect_timeout=patience.connect_seconds,
        read_timeout=patience.read_seconds,
        retries={"mode": "standard", "total_max_attempts": patience.attempts},
        # Servers of other makes do not all take the trailing checksums that are the default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        return session.create_client("s3", config=config)
    except (BotoCoreError, ValueError) as error:
        raise LakeMisplaced(f"S3: {_in_one_line(str(error))}") from error


def open_file_system(session: Any, client: Any, *, bucket: str, patience: Patience) -> Any:
    """Return Arrow's file system for what `client` reaches; it does not read AWS_ENDPOINT_URL."""
    from pyarrow import fs

    found = session.get_credentials()
    credentials = found.get_frozen_credentials() if found is not None else None
    endpoint = urlsplit(client.meta.endpoint_url)
    is_amazon = (endpoint.hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
    region = client.meta.region_name
    if is_amazon:
        region = client.head_bucket(Bucket=bucket).get("BucketRegion", region)
    return fs.S3FileSystem(
        access_key=credentials and credentials.access_key,
        secret_key=credentials and credentials.secret_key,
        session_token=credentials and credentials.token,
        region=region,
        scheme=endpoint.scheme,
        endpoint_override=None if is_amazon else endpoint.netloc,
        connect_timeout=patience.connect_seconds,
        request_timeout=patience.read_seconds,
        tls_ca_file_path=session.get_config_variable("ca_bundle"),
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=patience.attempts),
    )


@contextlib.contextmanager
def translated(location: str) -> Iterator[None]:
    """Turn whatever goes wrong with S3 into LakeUnavailable, one line without secrets."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        ParamValidationError,
        PartialCredentialsError,
    )

    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code = str(answer.get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
        what = f"{error.operation_name}: {status} {code}: {answer.get('Message', '')}"
        kind = LakeMisplaced if code in NEEDS_A_PERSON else LakeUnavailable
        raise kind(f"{location}: {_in_one_line(what)}") from error
    except (NoCredentialsError, PartialCredentialsError, ParamValidationError) as error:
        raise LakeMisplaced(f"{location}: {_in_one_line(str(error))}") from error
    except (BotoCoreError, OSError) as error:
        what = f"{type(error).__name__}: {error}"
        raise LakeUnavailable(f"{location}: {_in_one_line(what)}") from error


def _in_one_line(sentence: str) -> str:
    return CREDENTIALS_IN_AN_ADDRESS.sub("//", " ".join(sentence.split()))[:500]
