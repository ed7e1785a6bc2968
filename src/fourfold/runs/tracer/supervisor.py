"""The program that stands between us and a command: ``python -I -S supervisor.py SPEC -- WORD...``.

Only the way to `watch`, whose compiled form is kept: what Python starts by its path it compiles each time.
"""

import sys

if __name__ == "__main__":
    sys.path.append(__file__.rsplit("/fourfold/", 1)[0])
    if sys.argv[1] == "--serve":
        from fourfold.runs.tracer.forkserver import serve

        serve(int(sys.argv[2]))
    else:
        from fourfold.runs.tracer.watch import main

        main(sys.argv[1:])
