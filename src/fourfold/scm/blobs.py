"""The id that Git gives to a file's bytes: gitformat, without Git."""

import hashlib


def blob_id(content: bytes, *, long: bool = False) -> str:
    """The id that Git gives to these bytes; ``long`` in repositories of SHA-256."""
    name = hashlib.new("sha256" if long else "sha1", usedforsecurity=False)
    name.update(b"blob %d\0" % len(content))
    name.update(content)
    return name.hexdigest()
