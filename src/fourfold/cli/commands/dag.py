"""``ff dag``: how stages depend on each other."""

import argparse

from fourfold.base.errors import UsageError
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.pipeline.drawing import dot, mermaid, picture, tree


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    parser.add_argument(
        "target",
        nargs="?",
        metavar="<target>",
        help="a stage or an output, and what it needs; all by default",
    )
    parser.add_argument("--dot", action="store_true", help="print it for Graphviz")
    parser.add_argument("--mermaid", action="store_true", help="print it for Mermaid")
    parser.add_argument(
        "--md", dest="markdown", action="store_true", help="print it for Mermaid, within Markdown"
    )
    parser.add_argument("--full", action="store_true", help="everything that is connected with the target")
    parser.add_argument("-o", "--outs", action="store_true", help="draw outputs instead of stages")
    parser.add_argument(
        "--collapse-foreach-matrix", action="store_true", help="draw what one foreach or matrix makes as one"
    )
    parser.epilog = "Example: ff dag train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Draw it."""
    if args.outs and args.collapse_foreach_matrix:
        raise UsageError("--outs and --collapse-foreach-matrix exclude each other")
    drawn = picture(
        session.project, args.target, full=args.full, outs=args.outs, collapse=args.collapse_foreach_matrix
    )
    data = {"nodes": list(drawn.nodes), "edges": [list(edge) for edge in drawn.edges]}
    if args.dot:
        return Outcome(data=data, text=dot(drawn))
    if args.mermaid or args.markdown:
        return Outcome(data=data, text=mermaid(drawn, markdown=args.markdown))
    if not drawn.nodes:
        return Outcome(data=data, text=("There are no data or pipelines tracked in this project yet.",))
    encoding = (getattr(session.stdout, "encoding", "") or "").lower().replace("-", "")
    return Outcome(data=data, text=tree(drawn, ascii_only=encoding != "utf8"))
