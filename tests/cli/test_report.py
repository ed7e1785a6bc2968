"""``ff report`` as a reviewer, a pipeline of checks, and a hostile repository meet it."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import find_ff
from tests.fixtures.sandbox import Exec, Ran, Sandbox, Tool

PIPELINE = """\
stages:
  prepare:
    cmd: cp raw.csv clean.csv
    deps: [raw.csv]
    outs: [clean.csv]
  train:
    cmd: sh train.sh
    deps: [clean.csv, train.sh]
    params: [lr, tree.depth]
    outs: [model]
    metrics:
    - metrics.json: {cache: false}
    plots:
    - roc.csv: {cache: false, x: fpr, y: tpr}
    meta: {fourfold: {goal: {auc: max, loss: min}}}
  other:
    cmd: echo the same > same
    outs: [same]
"""
TRAIN = """\
lr=$(sed -n 's/lr: //p' params.yaml)
mkdir -p model
cp clean.csv model/weights
echo $lr > model/$lr
echo "{\\"auc\\": $lr, \\"loss\\": $lr, \\"rows\\": 3}" > metrics.json
printf 'fpr,tpr\\n0,0\\n%s,1\\n1,1\\n' $lr > roc.csv
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, ff_template: Path) -> Path:
    """A branch with a change of data and of a parameter, and a remote that has all of ``main``."""
    home = tmp_path_factory.mktemp("report")
    shutil.copytree(ff_template, home / "repo", symlinks=True)
    ff_repo = Sandbox(home / "repo", Tool([find_ff()], home / "home"))
    ff_repo.run("remote", "add", "-d", "store", "../remote")
    ff_repo.gen(
        {
            "dvc.yaml": PIPELINE,
            "train.sh": TRAIN,
            "params.yaml": "lr: 0.25\ntree:\n  depth: 3\n",
            "raw.csv": "id,label\n1,cat\n2,dog\n3,\n4,cat\n",
        }
    )
    ff_repo.run("repro", "-q")
    ff_repo.commit("one")
    ff_repo.run("push", "-q")
    ff_repo.git("checkout", "-q", "-b", "work")
    ff_repo.gen(
        {
            "params.yaml": "lr: 0.5\ntree:\n  depth: 3\n",
            "raw.csv": "id,label,age\n1,cat,3\n2,dog,4\n3,dog,5\n4,dog,6\n5,dog,7\n",
        }
    )
    ff_repo.run("repro", "-q")
    return home


@pytest.fixture
def repo(tmp_path: Path, template: Path, ff: Tool) -> Sandbox:
    """A copy of the template, to change."""
    for name in ("repo", "remote"):
        shutil.copytree(template / name, tmp_path / name, symlinks=True)
    return Sandbox(tmp_path / "repo", ff)


def section(text: str, title: str) -> str:
    return text.partition(f"### {title}\n")[2].partition("\n### ")[0]


def test_a_report_says_what_changed_why_and_what_came_of_it(repo: Sandbox) -> None:
    told = repo.run("report").stdout
    assert "- 2 of 3 stages changed\n" in told
    assert "- 2 of 3 metrics changed (1 better, 1 worse)\n" in told
    assert "| `prepare` | changed | `raw.csv` |" in section(told, "Stages")
    assert "| `train` | changed | `clean.csv`; `lr`: `0.25` → `0.5` |" in section(told, "Stages")
    assert "| `auc` | `0.25` | `0.5` | ↑ +0.25 **better** |" in section(told, "Metrics")
    assert "| `loss` | `0.25` | `0.5` | ↑ +0.25 **worse** |" in section(told, "Metrics")
    assert "| `rows` | `3` | `3` | = |" in section(told, "Metrics")
    assert "| `lr` | `0.25` | `0.5` |" in section(told, "Parameters")
    data = section(told, "Data")
    assert "| `clean.csv` | changed | 1 | 30 B → 53 B (+23 B) |" in data
    assert "| `model` | changed | 2 (+1, -1, ~1) |" in data
    assert "- added `model/0.5`\n" in data
    table = section(told, "Tables")
    assert "| `clean.csv` | 4 → 5 (+1) | 2 → 3 (+1) |" in table
    assert "| `clean.csv` | `age` | new, integer |" in table
    assert "| `clean.csv` | `label` |  | 25 % → 0 % | `cat` 66.7 % → 20 %, `dog` 33.3 % → 80 % |" in table
    assert '["train"]:::changed' in told
    assert '["other"]\n' in told
    assert "- `clean.csv`\n" in section(told, "Remote")
    assert "- `same`\n" not in section(told, "Remote")
    assert "- nothing is missing on the remote\n" in repo.run("report", "HEAD", "HEAD").stdout
    repo.run("push", "-q")
    assert "- nothing is missing on the remote\n" in repo.run("report").stdout


def test_it_is_the_same_here_and_in_a_clone_that_pulled(repo: Sandbox, tmp_path: Path) -> None:
    repo.run("push", "-q")
    repo.commit("two")
    here = repo.run("report", "main", "work").stdout
    copy = Sandbox(tmp_path / "deeper" / "clone", repo.tool)
    copy.git("clone", "-q", str(repo.path), ".")
    copy.git("branch", "-q", "main", "origin/main")
    copy.run("remote", "add", "--local", "-d", "store", str(tmp_path / "remote"))
    copy.run("pull", "-q", "-a")
    assert copy.run("report", "main", "work").stdout == here
    assert str(tmp_path) not in here
    inside = repo.path / "sub"
    inside.mkdir()
    assert (
        repo.run("report", "main", "work", "--no-plots", cwd="sub").stdout
        == repo.run("report", "main", "work", "--no-plots").stdout
    )


def test_without_data_everything_but_tables_is_told(repo: Sandbox, tmp_path: Path) -> None:
    repo.run("push", "-q")
    repo.commit("two")
    copy = Sandbox(tmp_path / "bare-clone", repo.tool)
    copy.git("clone", "-q", str(repo.path), ".")
    copy.run("remote", "add", "--local", "-d", "store", str(tmp_path / "remote"))
    told = copy.run("report", "origin/main", "HEAD").stdout
    assert "1 table not in the cache here" in told
    assert "| `model` | changed | 2 (+1, -1, ~1) |" in told  # the remote was asked for the lists of files
    assert "`auc`" in told
    assert "nothing is missing on the remote" in told
    assert "### Out of date" not in told
    alone = copy.run("report", "origin/main", "HEAD", "--no-remote").stdout
    assert "its list of files is not here" in alone
    assert not list((copy.path / ".dvc").glob("cache/files/md5/*/*"))


def test_before_is_where_the_branch_left_its_target(repo: Sandbox) -> None:
    base = repo.git("rev-parse", "main").strip()[:7]
    repo.commit("two")
    assert f"From `{base}` to the workspace." in repo.run("report").stdout
    repo.git("branch", "target", "main")
    told = repo.run("report", env={"GITHUB_BASE_REF": "target"}).stdout
    assert f"From `{base}` to the workspace." in told
    lost = repo.run("report", env={"GITHUB_BASE_REF": "nowhere"}, check=False)
    assert "code: no-merge-base" in lost.stderr
    assert "fetch-depth: 0" in lost.stderr


def test_a_stage_that_was_not_run_again_is_said_to_be_out_of_date(repo: Sandbox) -> None:
    repo.gen({"params.yaml": "lr: 0.75\ntree:\n  depth: 3\n"})
    ran = repo.run("report", "--fail-on", "out-of-date", check=False)
    assert "error: the report fails on out-of-date: must run again: train\n" in ran.stderr
    told = ran.stdout
    assert "- **1 stage must run again:** `train`" in told
    assert "| `train` | `lr`: `0.5` → `0.75` |" in section(told, "Out of date")
    repo.commit("not run")
    assert "| `train` | `lr`: `0.5` → `0.75` |" in section(
        repo.run("report", "main", "HEAD").stdout, "Out of date"
    )


def test_new_and_removed_stages_and_data_are_told(repo: Sandbox) -> None:
    changed = (
        PIPELINE.replace("  other:", "  another:")
        .replace("same > same", "new > new")
        .replace("[same]", "[new]")
    )
    repo.gen({"dvc.yaml": changed})
    told = repo.run("report").stdout
    assert "| `another` | added | no run is recorded |" in told
    assert "| `other` | removed |  |" in told
    assert "| `same` | removed | 1 → 0 | 9 B → 0 B (-9 B) |" in told


def test_a_condition_that_holds_fails_with_one_line(repo: Sandbox) -> None:
    ran = repo.run(
        "report", "--fail-on", "metrics.json:auc < 0.85", "--fail-on", "metrics.json:loss > 9", check=False
    )
    assert ran.code == 1
    assert "error: the report fails on metrics.json:auc < 0.85: it is 0.5\n" in ran.stderr
    assert "code: gate-tripped" in ran.stderr
    assert "| **failed** | `metrics.json:auc < 0.85` | it is 0.5 |" in ran.stdout
    assert "| passed | `metrics.json:loss > 9` | it is 0.5 |" in ran.stdout
    assert repo.run("report", "--fail-on", "metrics.json:auc drop > 0.01").code == 0
    lacking = repo.run("report", "--fail-on", "missing-on-remote", "--fail-on", "out-of-date", check=False)
    assert (
        "error: the report fails on missing-on-remote: clean.csv, model, model/0.5 and 1 more\n"
        in lacking.stderr
    )
    assert "| passed | `out-of-date` | every stage is up to date |" in lacking.stdout
    assert repo.run("report", "--no-remote", "--fail-on", "missing-on-remote", check=False).code == 1
    missing = repo.run("report", "--fail-on", "metrics.json:nothing < 1", check=False)
    assert missing.code == 1
    bad = repo.run("report", "--fail-on", "print(1)", check=False)
    assert (bad.code, "code: bad-gate" in bad.stderr) == (255, True)


def test_files_are_written_where_they_were_asked_for_images_beside(repo: Sandbox) -> None:
    ran = repo.run("report", "-o", "out/report.md", "--html", "report.html", "--goal", "loss=max")
    assert ran.stdout == ""
    told = repo.text("out/report.md")
    image = re.search(r"!\[[^]]*\]\((.*?)\)", told)
    assert image is not None
    assert repo.text(f"out/{image[1]}").startswith("<svg")
    assert "`loss` | `0.25` | `0.5` | ↑ +0.25 **better**" in told
    repo.run("report", "-o", "as-png.md", "--png")
    assert "(as-png.images/roc-csv.png)" in repo.text("as-png.md")
    assert repo.read("as-png.images/roc-csv.png").startswith(b"\x89PNG")
    page = repo.text("report.html")
    assert "data:image/svg+xml;base64," in page
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_a_plot_by_a_template_that_is_not_built_in_is_drawn_by_the_extra(repo: Sandbox) -> None:
    template = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": "<DVC_METRIC_DATA>"},
        "mark": "line",
        "encoding": {
            "x": {"field": "fpr", "type": "quantitative"},
            "y": {"field": "tpr", "type": "quantitative"},
        },
    }
    repo.gen({".dvc/plots/mine.json": json.dumps(template)})
    repo.gen({"dvc.yaml": PIPELINE.replace("x: fpr,", "template: mine, x: fpr,")})
    repo.run("report", "-o", "report.md")
    [image] = (repo.path / "report.images").iterdir()
    assert "marks" in image.read_text()
    repo.gen({".dvc/plots/mine.json": "not json"})
    assert "Not drawn here" in repo.run("report").stdout


def test_json_is_one_document(repo: Sandbox) -> None:
    document = repo.run("report", "--json").json()
    assert document["old"]["name"] == repo.git("rev-parse", "main").strip()[:7]
    assert [stage["name"] for stage in document["stages"]] == ["prepare", "train"]
    assert document["plots"] == ["roc.csv"]
    assert document["tables"][0]["new"]["rows"] == 5
    failed = repo.run("report", "--json", "--fail-on", "metrics.json:auc < 1", check=False).json()
    assert failed["error"]["code"] == "gate-tripped"
    assert failed["gates"][0]["tripped"] is True


def test_nothing_to_compare_with_is_an_error_of_one_line(ff_repo: Sandbox) -> None:
    ran = ff_repo.run("report", "nowhere", check=False)
    assert "Traceback" not in ran.stderr
    assert "error: " in ran.stderr
    ff_repo.gen({"dvc.yaml": PIPELINE})
    ff_repo.commit("one")
    assert "- none of 3 stages changed" in ff_repo.run("report").stdout
    assert "code: unknown-revision" in ff_repo.run("report", "nowhere", check=False).stderr
    for wrong in (["--goal", "auc=up"], ["--max-size", "10"], ["--attach"], ["--html", "."]):
        assert "code: usage" in ff_repo.run("report", *wrong, check=False).stderr


def test_a_remote_that_cannot_be_asked_stops_nothing(repo: Sandbox) -> None:
    repo.run("remote", "modify", "store", "url", "http://127.0.0.1:1/nothing")
    told = repo.run("report").stdout
    assert re.search(r"Not known: the remote could not be asked \([a-z-]+\)\.", told)
    assert "### Remote" not in repo.run("report", "--no-remote").stdout


def test_names_of_a_hostile_repository_are_text_and_nothing_else(repo: Sandbox) -> None:
    evil = "<img src=x onerror=alert(1)>|`@everyone`"
    pipeline = {
        "stages": {
            "bad": {
                "cmd": f"echo '{evil}\n</details>\n```\n# heading' > out",
                "params": [{"evil.json": [evil]}],
                "outs": [{"out": {"cache": False}}],
                "metrics": [{"m.json": {"cache": False}}],
            }
        }
    }
    repo.gen(
        {
            "evil.json": json.dumps({evil: 1}),
            "sub/dvc.yaml": json.dumps(pipeline).replace("evil.json", "../evil.json"),
            "sub/m.json": json.dumps({evil: evil}),
            f"{evil}.csv": f"{evil},b\n{evil},2\n",
            "line\nend.txt": "x",
        }
    )
    repo.run("add", "-q", f"{evil}.csv", "line\nend.txt")
    repo.run("report", "-o", "report.md", "--html", "report.html")
    told = repo.text("report.md")
    assert evil.replace("|", "\\|") in told
    outside = re.sub(r"(?ms)^```.*?^```", "", told)
    outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", outside)
    assert "onerror" not in re.sub(r"<summary>.*?</summary>", "", outside)
    assert "# heading" not in outside
    assert "<img" not in re.sub(r"`+.*?`+", "", told).replace("#60;", "")
    page = repo.text("report.html")
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert not re.search(r"<(?!img src=\"data:)img|<script|<svg", page)


# --- posting -----------------------------------------------------------------------------------------
# ``gh`` and ``glab`` are programs of others that need an account: small programs of the test stand for them,
# write down how they were called, and answer what those answer. The summary of a job is a file, and real.

PROGRAM = """\
#!/bin/sh
here=$(dirname "$0")
printf '%s\\n' "$*" >> "$here/calls"
for word in "$@"; do
  case "$word" in body=@*) cp "${word#body=@}" "$here/body";; */report.md) cp "$word" "$here/body";; esac
done
case "$*" in
  --version) echo "VERSION";;
  "pr view"*|"mr view"*) cat "$here/view" || exit 1;;
  "api projects"*per_page*) cat "$here/notes";;
  *) echo "https://example.org/comment";;
esac
"""
MARKED = "<!-- fourfold report -->\nold"


class Platform:
    """A folder on PATH with a program that stands for ``gh`` or ``glab``."""

    def __init__(self, repo: Sandbox, name: str, version: str = "gh version 2.40.0") -> None:
        self.folder = repo.path.parent / "bin"
        self.repo = repo
        Sandbox(self.folder, repo.tool).gen({name: Exec(PROGRAM.replace("VERSION", version)), "calls": ""})

    def post(self, *args: str, check: bool = True, **env: str) -> Ran:
        path = f"{self.folder}{os.pathsep}{self.repo.tool.env['PATH']}"
        return self.repo.run("report", "--post", *args, env={"PATH": path, **env}, check=check)

    def answers(self, name: str, value: object) -> None:
        (self.folder / name).write_text(json.dumps(value))

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    @property
    def body(self) -> str:
        return (self.folder / "body").read_text()


def comment(number: int, body: str, *, mine: bool = True) -> dict[str, object]:
    return {"url": f"https://x/pull/7#issuecomment-{number}", "body": body, "viewerDidAuthor": mine}


def test_a_first_report_becomes_a_comment_of_the_pull_request(repo: Sandbox) -> None:
    gh = Platform(repo, "gh")
    gh.answers("view", {"number": 7, "comments": [comment(1, "hello"), comment(2, MARKED, mine=False)]})
    ran = gh.post(GITHUB_REF="refs/pull/7/merge")
    assert ran.stderr == "posted: github https://example.org/comment\n"
    assert gh.calls[0] == "pr view 7 --json number,comments"
    assert re.fullmatch(r"pr comment 7 --body-file \S+/report\.md", gh.calls[1])
    assert gh.body.startswith("<!-- fourfold report -->\n## Fourfold report\n")
    assert "![" not in gh.body


def test_the_earlier_comment_is_edited(repo: Sandbox) -> None:
    gh = Platform(repo, "gh")
    gh.answers("view", {"number": 7, "comments": [comment(31, MARKED), comment(32, "thanks")]})
    assert "edited: github https://x/pull/7#issuecomment-31" in gh.post().stderr
    assert gh.calls[0] == "pr view --json number,comments"
    assert gh.calls[1].startswith(
        "api --method PATCH repos/{owner}/{repo}/issues/comments/31 --silent --field body=@"
    )


@pytest.mark.parametrize(("version", "attached"), [("gh version 2.99.1", True), ("gh version 2.40.0", False)])
def test_images_are_attached_where_gh_can(repo: Sandbox, version: str, attached: bool) -> None:
    gh = Platform(repo, "gh", version)
    gh.answers("view", {"number": 7, "comments": [comment(31, MARKED)]})
    ran = gh.post("--attach")
    assert ("images need gh 2.99" in ran.stderr) is not attached
    last = gh.calls[-1]
    assert ("pr comment 7 --edit-last --body-file" in last and "--attach" in last) is attached
    images = re.findall(r"!\[[^]]*\]\((.*?)\)", gh.body)
    assert [image in last for image in images] == ([True] if attached else [])


def test_gitlab_gets_a_note_and_then_the_same_note_again(repo: Sandbox) -> None:
    glab = Platform(repo, "glab")
    glab.answers("view", {"iid": 5})
    glab.answers("notes", [{"id": 1, "body": "hello"}])
    assert "posted: gitlab !5" in glab.post().stderr
    assert glab.calls[0] == "mr view --output json"
    assert glab.calls[-1].startswith(
        "api --method POST projects/:fullpath/merge_requests/5/notes --field body=@"
    )
    glab.answers("notes", [{"id": 9, "body": MARKED}])
    assert "edited: gitlab !6" in glab.post(CI_MERGE_REQUEST_IID="6").stderr
    assert glab.calls[-1].startswith("api --method PUT projects/:fullpath/merge_requests/6/notes/9 ")


def test_without_a_pull_request_it_is_appended_to_the_summary_of_the_job(
    repo: Sandbox, tmp_path: Path
) -> None:
    gh = Platform(repo, "gh")
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    ran = gh.post(GITHUB_STEP_SUMMARY=str(summary))
    assert "gh: " in ran.stderr
    assert "posted: summary" in ran.stderr
    assert summary.read_text().startswith("before\n<!-- fourfold report -->\n")
    assert "| `auc` |" in summary.read_text()


def test_nowhere_to_post_is_said(repo: Sandbox) -> None:
    ran = repo.run("report", "--post", check=False)
    assert ran.code != 0
    assert "error: there is nowhere to post the report\n" in ran.stderr
    assert "ff report -o FILE" in ran.stderr


def test_a_condition_fails_after_the_report_is_posted(repo: Sandbox, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    ran = repo.run(
        "report",
        "--post",
        "--fail-on",
        "metrics.json:auc < 1",
        env={"GITHUB_STEP_SUMMARY": str(summary)},
        check=False,
    )
    assert ran.code == 1
    assert "**failed**" in summary.read_text()


def test_a_program_of_the_repository_is_not_taken_for_gh(repo: Sandbox) -> None:
    repo.gen({"gh": Exec("#!/bin/sh\ntouch ran\n")})
    repo.run("report", "--post", env={"PATH": os.environ["PATH"]}, check=False)
    assert not repo.exists("ran")
    assert subprocess.run(["test", "-x", str(repo.path / "gh")], check=False).returncode == 0
