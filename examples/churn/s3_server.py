"""An S3 server on this machine, for trying a bucket as the remote. Usage: s3_server.py BUCKET URL_FILE.

Makes the bucket, writes where the server listens into URL_FILE, and serves until it is ended, or until the
shell that started it is gone. It keeps everything in memory, and believes every key. Needs moto[server].
"""

import os
import sys
import time
import urllib.request
from pathlib import Path

from moto.server import ThreadedMotoServer


def main(bucket: str, url_file: str) -> None:
    """Serve."""
    parent = os.getppid()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # the signature is not checked, but has to be there: it says that this request is for S3
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=lab/20260101/us-east-1/s3/aws4_request"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/{bucket}", method="PUT", headers=signed)):  # noqa: S310
        Path(url_file).write_text(url, encoding="utf-8")
    while os.getppid() == parent:
        time.sleep(0.5)
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
