"""The process entry: answers ``--version`` before anything is imported, else hands over to the CLI."""

import sys


def main() -> int:
    """Run ``ff`` with the arguments of this process and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"], ["version", "--short"]):
        from fourfold import __version__  # noqa: PLC0415 - nothing else may load for this answer

        sys.stdout.write(__version__ + "\n")
        return 0
    from fourfold.cli.main import run  # noqa: PLC0415 - the parser loads only when it is needed

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
