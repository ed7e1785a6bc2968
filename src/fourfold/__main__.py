"""The process entry: answers ``--version`` before anything is imported, else hands over to the CLI."""

import sys


def main() -> int:
    """Run ``ff`` with the arguments of this process and return its exit code."""
    argv = sys.argv[1:]
    try:
        if argv in (["--version"], ["-V"], ["version", "--short"]):
            from fourfold import __version__  # noqa: PLC0415 - nothing else may load for this answer

            argv = ["--version"]
            if sys.stdout is not None:
                sys.stdout.write(__version__ + "\n")
                sys.stdout.flush()
            return 0
    except OSError:
        pass  # the long way tells what is wrong with the output
    try:
        from fourfold.cli.main import run  # noqa: PLC0415 - the parser loads only when it is needed
    except KeyboardInterrupt:
        return 252  # as `failure` has it, which is not loaded yet
    except OSError as error:  # no file handles left, or no permission to read our own modules
        if sys.stderr is not None:
            sys.stderr.write(f"error: ff cannot load its modules: {error}\n")
        return 255
    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
