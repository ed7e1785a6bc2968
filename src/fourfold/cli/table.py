"""The command table: every command, where it lives, and what can be said of it without loading it.

One of the four places where laziness lives: ``ff --help`` reads this table and imports no command,
``ff X`` imports only X's module. A command is listed here as soon as its module exists, and only then
(tests/architecture/test_command_table.py); keep `COMMANDS` sorted by name.
"""

from typing import NamedTuple

PACKAGE = "fourfold.cli.commands"


class Command(NamedTuple):
    """One command.

    Attributes:
        module: Name of its module below `PACKAGE`; it defines ``configure(parser)`` and
            ``run(args, session)``.
        help: What it does, in one line without a full stop.
        group: The heading it stands under: a key of `HEADINGS`.
        failure_code: What the process exits with when the command fails without a more precise
            category. It is DVC's: 1 where DVC's command handles its own failures, 255 where they
            reach its main function, 251 for the commands that only edit configuration.
        aliases: Other names that DVC gives it; for ``remote list`` and such, of its last word.
        hidden: Works, but is not for people: left out of help and completion.
    """

    module: str
    help: str
    group: str
    failure_code: int = 255
    aliases: tuple[str, ...] = ()
    hidden: bool = False


#: Groups of commands, in the order of the help page.
HEADINGS = {
    "start": "Set up",
    "track": "Track data",
    "look": "Look",
    "share": "Share",
    "elsewhere": "Use data from elsewhere",
    "pipeline": "Run pipelines",
    "record": "Ask what made a result",
    "evidence": "Prove and explain results",
    "care": "Keep data safe",
    "settings": "Configure",
}

#: First words of the commands that have two.
FAMILIES = {
    "artifacts": "Models and data that repositories name and number",
    "audit": "What proves records and results",
    "cache": "The cache: where it is, and its layout",
    "data": "The state of the tracked data",
    "dataset": "Data from elsewhere that stages name as ds://",
    "deps": "What stages declare, and what they use",
    "env": "The environment: what is installed, and what locks it",
    "git-hook": "What the installed Git hooks call",
    "image": "Container images",
    "metrics": "Metrics of the pipeline",
    "op": "The log of operations",
    "params": "Parameters of the pipeline",
    "plots": "Plots of the pipeline",
    "remote": "Places that data is pushed to and pulled from",
    "runs": "Records of runs: what made a result",
    "stage": "Stages of the pipeline",
}

#: Other names that DVC gives to families.
FAMILY_ALIASES = {"ds": "dataset"}

COMMANDS: dict[str, Command] = {
    "add": Command("add", "Track files or directories", "track", 1),
    "artifacts get": Command(
        "artifacts_get", "Download a version of a model that a repository names", "elsewhere", 1
    ),
    "attribute": Command(
        "attribute", "Measure how much of a change of a metric each thing that moved caused", "evidence"
    ),
    "audit keygen": Command("audit_keygen", "Make a key that signs statements", "evidence"),
    "audit verify": Command(
        "audit_verify", "Check records, signatures, and lock files that no run made", "evidence"
    ),
    "bisect": Command("bisect", "Find the version that made a metric worse", "evidence"),
    "cache dir": Command("cache_dir", "Show, set or unset the cache directory", "care", 251),
    "cache migrate": Command("cache_migrate", "Move a cache of DVC 2 to the layout of DVC 3", "care"),
    "check-ignore": Command("check_ignore", "Say which paths .dvcignore excludes, and by which line", "look"),
    "checkout": Command("checkout", "Bring workspace files to what the pointer files say", "track"),
    "commit": Command("commit", "Record changes of tracked files and directories", "track", 1),
    "completion": Command("completion", "Print the completion script of a shell", "start"),
    "config": Command("config", "Show, set or unset configuration options", "settings", 251),
    "coordinates": Command(
        "coordinates", "Show code, data, environment and randomness of what stages made", "record"
    ),
    "dag": Command("dag", "Show how stages depend on each other", "pipeline"),
    "data status": Command("data_status", "Show changes between commit, pointer files and workspace", "look"),
    "dataset add": Command(
        "dataset_add", "Declare data from elsewhere that stages name as ds://", "elsewhere"
    ),
    "dataset update": Command("dataset_update", "Note what a data set is now", "elsewhere"),
    "deps fix": Command("deps_fix", "Declare what stages were seen to use without saying so", "pipeline"),
    "destroy": Command("destroy", "Remove everything of DVC from the project, but not the data", "start", 1),
    "diff": Command("diff", "Compare tracked data between revisions", "look", 1),
    "doctor": Command(
        "doctor", "Show versions and file systems, and what is wrong", "start", aliases=("version",)
    ),
    "du": Command("du", "Show how much space tracked data takes", "look"),
    "env check": Command(
        "env_check", "Compare every installed file with what was installed and what is locked", "record"
    ),
    "env diff": Command("env_diff", "Show what differs between the environments of two runs", "record"),
    "env lock": Command("env_lock", "Write a lock of what is installed", "record"),
    "env show": Command("env_show", "Show the environment of a run, or the one of now", "record"),
    "explain": Command("explain", "Say why two results differ, the likeliest cause first", "evidence"),
    "export": Command("export", "Write a run as an archive, or in the words of other tools", "evidence"),
    "fetch": Command("fetch", "Copy tracked data from a remote into the cache", "share", 1),
    "freeze": Command("freeze", "Leave the dependencies of imports or stages out of account", "track", 1),
    "fsck": Command("fsck", "Check every object of a cache or a remote", "care", 1),
    "gc": Command("gc", "Remove cached data that nothing in the chosen scope needs", "care"),
    "get": Command("get", "Download a file or directory of a repository", "elsewhere", 1),
    "get-url": Command("get_url", "Download a file or directory from a URL", "elsewhere", 1),
    "git-hook merge-driver": Command(
        "git_hook_merge_driver", "Merge pointer files for Git", "settings", hidden=True
    ),
    "git-hook post-checkout": Command(
        "git_hook_post_checkout", "Run as the post-checkout hook", "settings", hidden=True
    ),
    "git-hook pre-commit": Command(
        "git_hook_pre_commit", "Run as the pre-commit hook", "settings", 1, hidden=True
    ),
    "git-hook pre-push": Command("git_hook_pre_push", "Run as the pre-push hook", "settings", 1, hidden=True),
    "image resolve": Command(
        "image_resolve", "Say which image the name of a container image stands for now", "record"
    ),
    "import": Command("import_", "Download from a repository, and remember the source", "elsewhere", 1),
    "import-url": Command("import_url", "Download from a URL, and remember the source", "elsewhere", 1),
    "init": Command("init", "Begin a project", "start", 1),
    "install": Command("install", "Install Git hooks and the merge driver", "start", 1),
    "list": Command("list", "List the files of a repository, tracked data too", "look", 1, aliases=("ls",)),
    "list-url": Command("list_url", "List a directory behind a URL", "elsewhere", aliases=("ls-url",)),
    "metrics diff": Command("metrics_diff", "Compare metrics between revisions", "pipeline"),
    "metrics show": Command("metrics_show", "Show metrics", "pipeline"),
    "move": Command("move", "Rename tracked data, with its pointer file", "track", 1, ("mv",)),
    "op log": Command("op_log", "List what was done to this workspace", "care"),
    "params diff": Command("params_diff", "Compare parameters between revisions", "pipeline"),
    "plots diff": Command("plots_diff", "Show the plots of several moments in one", "pipeline", 1),
    "plots modify": Command("plots_modify", "Change how the output of a stage is drawn", "pipeline"),
    "plots show": Command("plots_show", "Show plots: a page, pictures, text, or Vega-Lite", "pipeline", 1),
    "plots templates": Command("plots_templates", "List the templates of plots, or print one", "pipeline", 1),
    "pull": Command("pull", "Copy tracked data from a remote into cache and workspace", "share", 1),
    "push": Command("push", "Copy tracked data to a remote", "share", 1),
    "redo": Command("redo", "Do again what was undone", "care"),
    "remote add": Command("remote_add", "Add a remote", "share", 251),
    "remote default": Command("remote_default", "Show, set or unset the default remote", "share", 251),
    "remote list": Command("remote_list", "List the remotes", "share", 251),
    "remote modify": Command("remote_modify", "Set or unset an option of a remote", "share", 251),
    "remote remove": Command("remote_remove", "Remove a remote from the configuration", "share", 251),
    "remote rename": Command("remote_rename", "Rename a remote", "share", 251),
    "remove": Command("remove", "Stop tracking data or stages", "track", 1, ("rm",)),
    "repair": Command("repair", "Heal damaged or missing objects from any good copy", "care", 1),
    "replay": Command("replay", "Run again what a record is of, apart from the workspace", "evidence"),
    "report": Command("report", "Tell reviewers what a change does to stages, results and data", "pipeline"),
    "repro": Command("repro", "Run the stages of the pipeline that are out of date", "pipeline"),
    "root": Command("root", "Print the path to the root of the project", "start"),
    "run": Command("run", "Run any command, and record what made its result", "record"),
    "runs diff": Command("runs_diff", "Show what moved between two runs, by coordinate", "record"),
    "runs export": Command("runs_export", "Write a run with all that it names as one document", "record"),
    "runs find": Command("runs_find", "Find the runs that made a file, or used a library or seed", "record"),
    "runs list": Command("runs_list", "List the recorded runs", "record"),
    "runs show": Command("runs_show", "Show what is known of a run, and how it is known", "record"),
    "stage add": Command("stage_add", "Write a new stage into 'dvc.yaml'", "pipeline"),
    "stage list": Command("stage_list", "List stages", "pipeline"),
    "status": Command("status", "Show what changed since it was tracked, here or on a remote", "look", 1),
    "trust": Command(
        "trust", "Obey the committed configuration on places outside of the project", "settings", 251
    ),
    "undo": Command("undo", "Take back what the last command did", "care"),
    "unfreeze": Command(
        "unfreeze", "Take the dependencies of imports or stages into account again", "track", 1
    ),
    "unprotect": Command(
        "unprotect", "Make tracked data safe to edit: cut its links to the cache", "track", 1
    ),
    "update": Command("update", "Bring imports to what their sources have now", "elsewhere", 1),
    "verify": Command("verify", "Repeat a run, and say how alike the results are", "evidence"),
    "why": Command("why", "Say why a path counts as changed", "look", 1),
}


def names() -> dict[str, str]:
    """Every way to name a command -> its name in `COMMANDS`; aliases included."""
    found = {}
    for name, command in COMMANDS.items():
        found[name] = name
        head = name.rpartition(" ")[0]
        for alias in command.aliases:
            found[f"{head} {alias}" if head else alias] = name
    return found


def members(family: str) -> list[str]:
    """The second words of a family's commands, sorted; hidden ones included."""
    return sorted(name.partition(" ")[2] for name in COMMANDS if name.startswith(family + " "))


#: Commands of DVC that are not here; looked at only for words that name no command.
DVC_ALONE = frozenset({"exp", "experiments", "queue", "studio"})


def families() -> list[str]:
    """The families that have a command."""
    return [family for family in FAMILIES if members(family)]
