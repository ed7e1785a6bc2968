#!/usr/bin/env bash
# The whole path on real data: track, run, push, lose, pull, change, compare. Usage: demo.sh [FOLDER]
#
# Builds a small Git project in FOLDER (./demo by default) and fails, with a message, when something does not
# happen as it says. Needs ff and a Python with scikit-learn on PATH; `make demo` brings both.
set -euo pipefail

example=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-demo}
mark=.fourfold-demo
started=$SECONDS

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' cyan=$'\e[36m' plain=$'\e[0m'; else bold='' cyan='' plain=''; fi

step=0
headline() { step=$((step + 1)); printf '\n%s%d. %s%s\n' "$bold" "$step" "$1" "$plain"; }
fail() { printf '\ndemo failed: %s\n' "$1" >&2; exit 1; }

# Show a command, run it, keep what it said.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
run() {
  local word line=''
  for word in "$@"; do
    case $word in *[!A-Za-z0-9_./:=,-]*) line+=" '$word'" ;; *) line+=" $word" ;; esac
  done
  printf '%s$%s%s\n' "$cyan" "$line" "$plain"
  if ! "$@" 2>&1 | tee "$said" | sed 's/^/  /'; then fail "'$*' did not succeed"; fi
}
expect() { grep -qF -- "$1" "$said" || fail "expected to read: $1"; }
refuse() { ! grep -qF -- "$1" "$said" || fail "did not expect to read: $1"; }
same() { [ "$1" = "$2" ] || fail "$3 is not what it was"; }
digest() { python -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; }

if [ -e "$folder" ]; then
  [ -e "$folder/$mark" ] || fail "'$folder' is in the way, and was not made by this demo"
  rm -rf "$folder"
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
touch "$folder/$mark"
mkdir "$folder/project"
cd "$folder/project"

headline 'A project: Git, the scripts, and a real data set (breast tumours, from scikit-learn)'
git init --quiet --initial-branch main
git config user.name 'Demo'
git config user.email 'demo@example.org'
cp -R "$example"/{src,dvc.yaml,params.yaml,requirements.txt} .
rm -rf src/__pycache__
mkdir data
python - <<'PYTHON'
import shutil
from importlib.resources import files

shutil.copyfile(files("sklearn") / "datasets" / "data" / "breast_cancer.csv", "data/raw.csv")
PYTHON
run ls -R data src
run ff init
run ff add data/raw.csv
expect 'data/raw.csv'

headline 'Run the pipeline: load, validate, train, evaluate'
run ff dag
run ff repro
for stage in load validate train evaluate; do expect "Running stage '$stage'"; done
run ff metrics show
git add --all
git commit --quiet --message 'First model'
run ff repro
expect 'Data and pipelines are up to date.'

headline 'Push to a remote, lose everything, pull it back'
run ff remote add --default storage "$folder/storage"
git commit --quiet --all --message 'Add a remote'
run ff push --run-cache
model=$(digest model.pkl)
run rm -rf .dvc/cache data/raw.csv data/table.csv data/split model.pkl
run ff pull --run-cache
same "$model" "$(digest model.pkl)" 'the model'
run ff status
expect 'Data and pipelines are up to date.'

headline 'Change one parameter: only train and evaluate run again'
run sed -i.bak 's/trees: 3/trees: 100/' params.yaml
rm params.yaml.bak
run ff repro
for stage in load validate; do
  refuse "Running stage '$stage'"
  expect "Stage '$stage' didn't change, skipping"
done
for stage in train evaluate; do expect "Running stage '$stage'"; done

headline 'What changed, and what it did'
run ff params diff
expect 'train.trees'
run ff metrics diff
expect 'accuracy'

headline 'Go back: a training that ran once is remembered, and does not run again'
run git checkout --quiet -- params.yaml
run ff repro
refuse "Running stage 'train'"
expect "Stage 'train' is cached"
same "$model" "$(digest model.pkl)" 'the model'

headline 'Code, data, environment and randomness of what is recorded'
run ff coordinates train evaluate
expect 'randomness'
expect 'train.seed = 7'

printf '\n%sDone in %d seconds.%s The project is in %s\n' "$bold" "$((SECONDS - started))" "$plain" "$folder/project"
