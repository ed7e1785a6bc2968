"""What commands on evidence ask alike: how a run is named, and which environment a replay may have."""

import argparse

#: What a run may be called on the command line (`fourfold.evidence.naming`).
RUN = "a run: its id's beginning, a stage (<stage>~1 for the one before), a revision or <revision>:<stage>"
POLICIES = ("auto", "running", "lock", "image")


def environment_option(parser: argparse.ArgumentParser) -> argparse.Action:
    """Define ``--environment``, of commands that replay."""
    return parser.add_argument(
        "--environment",
        choices=POLICIES,
        default="auto",
        help="which one a replay may have: the running one as it is, one built from the lock, or the image; "
        "by default the first of these that is the recorded one",
    )
