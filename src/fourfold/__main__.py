"""The process entry: answers ``--version`` before anything is imported, else hands over to the CLI."""

import sys


def main() -> int:
    """Run ``ff`` with the arguments of this process and return its exit code."""
    argv = sys.argv[1:]
    if sys.platform != "win32" and not sys.flags.utf8_mode and sys.getfilesystemencoding() != "utf-8":
        _begin_again_in_utf8()
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
        if sys.stderr is not None:
            sys.stderr.write("error: interrupted\n")
        return 252  # as `failure` has it, which is not loaded yet
    except OSError as error:  # no file handles left, or no permission to read our own modules
        if sys.stderr is not None:
            sys.stderr.write(f"error: ff cannot load its modules: {error}\n")
        return 255
    return run(argv)


def _begin_again_in_utf8() -> None:
    """Replace the process by itself in UTF-8 mode: names in DVC's files are UTF-8, whatever the locale is.

    Without that a locale of another encoding would give one file two names. Where the process cannot be
    replaced it goes on: names beyond ASCII are then refused one by one.
    """
    import os  # noqa: PLC0415 - loaded by the interpreter itself

    words = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    try:
        os.execv(sys.executable, [os.fsencode(word) for word in words])  # noqa: S606 - ourselves, no shell
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
