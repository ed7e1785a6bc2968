"""A bucket as a part of the stage: emptied before a run, photographed with the folder."""

from typing import Any

from tests.compat.snapshot import Snapshot, of_bytes, stable_name
from tests.fixtures.servers import S3Server

NAME = "twin"


class Bucket:
    """The bucket `NAME` of a server; with ``versioned``, one that keeps versions."""

    def __init__(self, server: S3Server, *, versioned: bool) -> None:
        self.server = server
        self.versioned = versioned
        self.client: Any = server.client()
        if NAME not in {b["Name"] for b in self.client.list_buckets()["Buckets"]}:
            server.make_bucket(NAME)
        if versioned:
            self.client.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})

    def clear(self) -> None:
        """Remove every object, and every version of it."""
        if not self.versioned:
            for key in self._keys():
                self.client.delete_object(Bucket=NAME, Key=key)
            return
        listed = self.client.list_object_versions(Bucket=NAME)
        for version in [*listed.get("Versions", ()), *listed.get("DeleteMarkers", ())]:
            self.client.delete_object(Bucket=NAME, Key=version["Key"], VersionId=version["VersionId"])

    def _keys(self) -> list[str]:
        return [found["Key"] for found in self.client.list_objects_v2(Bucket=NAME).get("Contents", ())]

    def photograph(self) -> Snapshot:
        """What the bucket holds now: bytes by key."""
        taken: Snapshot = {}
        for key in self._keys():
            entry = of_bytes(self.client.get_object(Bucket=NAME, Key=key)["Body"].read())
            taken[stable_name(f"s3://{NAME}/{key}", entry)] = entry
        return taken
