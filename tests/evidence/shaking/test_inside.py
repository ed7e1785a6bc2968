"""What a shake puts into processes of Python: they list folders backwards, or live in another year."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fourfold.evidence.shaking.factors import inject
from fourfold.evidence.shaking.inside.begin import SIGN


def told(folder: Path, name: str, code: str) -> Any:
    """What a program prints as JSON that finds one of them as its ``sitecustomize``."""
    place = folder / name
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": inject(str(place), name), "TZ": "UTC"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert (place / SIGN).is_file()
    return json.loads(done.stdout)


def test_every_way_to_list_a_folder_goes_backwards_and_what_uses_them_works(tmp_path: Path) -> None:
    (tmp_path / "box" / "inner").mkdir(parents=True)
    for name in "abc":
        (tmp_path / "box" / name).write_text("")
    code = """\
import glob, json, os, pathlib, shutil
with os.scandir("box") as found:
    scanned = [entry.name for entry in found]
listed = os.listdir("box")
walked = [(folder, files) for folder, _, files in os.walk("box")]
globbed = [os.path.basename(name) for name in glob.glob("box/*")]
paths = [path.name for path in pathlib.Path("box").iterdir()]
descriptor = os.open("box", os.O_RDONLY)
by_descriptor = os.listdir(descriptor)
entry = next(os.scandir("box"))
shutil.copytree("box", "copy")
shutil.rmtree("copy")
print(json.dumps([scanned, listed, globbed, paths, by_descriptor, os.path.exists("copy"), len(walked)]))
"""
    natural = os.listdir(tmp_path / "box")
    scanned, listed, globbed, paths, by_descriptor, exists, folders = told(tmp_path, "order", code)
    assert natural[::-1] == scanned == listed == globbed == paths == by_descriptor
    assert (exists, folders) == (False, 2)


def test_time_and_datetime_are_four_hundred_days_ahead_and_stay_what_they_are(tmp_path: Path) -> None:
    code = """\
import datetime, json, os, pickle, time
from datetime import date, datetime as moment
real = os.stat(os.open("now", os.O_CREAT | os.O_RDWR)).st_mtime
class Own(moment):
    pass
print(json.dumps({
    "ahead": [
        round((each - real) / 86400) for each in (
            time.time(), time.time_ns() / 1e9, moment.now().timestamp(),
            moment.now(datetime.timezone.utc).timestamp(),
            time.mktime(time.localtime()), time.mktime(time.strptime(time.ctime())), Own.now().timestamp(),
            moment.utcnow().timestamp(), time.mktime(time.strptime(time.strftime("%c"), "%c")),
            moment.today().timestamp(), moment.combine(date.today(), moment.now().time()).timestamp(),
        )
    ],
    "kinds": [
        isinstance(moment.now(), date), isinstance(moment.now().date(), date),
        isinstance(date.today(), moment), isinstance(Own.now(), Own), isinstance(moment.now(), Own),
        issubclass(Own, moment), type(Own.now()) is Own,
        isinstance(moment.now() + datetime.timedelta(1), moment),
    ],
    "pickled": pickle.loads(pickle.dumps(moment(2020, 1, 2))).isoformat(),
    "old": [
        time.gmtime(0).tm_year, moment.fromtimestamp(0).year, str(date(2020, 1, 2)),
        time.strftime("%Y", time.gmtime(0)),
    ],
}))
"""
    found = told(tmp_path, "clock", code)
    assert found["ahead"] == [400] * len(found["ahead"])
    assert found["kinds"] == [True, True, False, True, False, True, True, True]
    assert found["pickled"] == "2020-01-02T00:00:00"
    assert found["old"] == [1970, 1970, "2020-01-02", "1970"]


def test_libraries_that_build_upon_dates_live_with_another_clock(tmp_path: Path) -> None:
    code = """\
import json
import datetime, numpy, pandas, pyarrow
now = datetime.datetime.now()
frame = pandas.DataFrame({"at": [now, datetime.datetime(2020, 1, 2)], "day": [datetime.date.today()] * 2})
print(json.dumps([
    str(frame["at"].dtype), isinstance(frame["at"].dt.date[0], datetime.date), str(frame["at"].dt.date[1]),
    isinstance(pandas.Timestamp("2020-01-02"), datetime.datetime), str(pyarrow.array([now]).type),
    str(numpy.datetime64(datetime.datetime(2020, 1, 2)))[:10], frame["at"].max() == now,
]))
"""
    dtype, is_date, day, is_datetime, arrow, number, latest = told(tmp_path, "clock", code)
    assert dtype.startswith("datetime64[")
    assert (is_date, day, is_datetime, arrow) == (True, "2020-01-02", True, "timestamp[us]")
    assert (number, latest) == ("2020-01-02", True)


@pytest.mark.parametrize("name", ["order", "clock"])
def test_a_sitecustomize_that_was_there_still_runs_and_ours_is_not_to_be_seen(
    name: str, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "sitecustomize.py").write_text("import builtins\nbuiltins.WAS_HERE = True\n")
    code = f"""\
import json, os, subprocess, sys
place = os.environ["PYTHONPATH"]
environ = {{**os.environ, "PYTHONPATH": place + os.pathsep + {str(there)!r}}}
inner = "import sys; print(WAS_HERE, sys.modules['sitecustomize'].__file__, "
inner += "[p for p in sys.path if p.endswith({name!r})])"
done = subprocess.run([sys.executable, "-c", inner], env=environ, capture_output=True, text=True)
print(json.dumps(done.stdout))
"""
    assert told(tmp_path, name, code) == f"True {there}/sitecustomize.py []\n"


def test_importing_them_under_their_own_names_does_nothing() -> None:
    from fourfold.evidence.shaking.inside import clock, order  # noqa: PLC0415 - what is looked at

    assert (clock.AHEAD // 86400, order.os.listdir) == (400, os.listdir)  # type: ignore[attr-defined]
    assert os.listdir.__module__ == "posix"
