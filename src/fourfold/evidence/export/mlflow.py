"""A run as a run of MLflow: parameters, metrics, tags, inputs by their full digest, results as artifacts.

Written through MLflow's own client (``pip install 'fourfold[mlflow]'``), to whatever store a tracking URI
names. MLflow's own digest of a data set is eight letters over a sample; ours are whole, as digest and as tag.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import UnavailableError, UnsupportedError
from fourfold.base.ids import Oid, is_tree, is_unsafe_path
from fourfold.evidence.export.dossier import Dossier, leaves

if TYPE_CHECKING:
    from fourfold.content.objects import ObjectStore

#: MLflow takes no longer ones.
_LONGEST_PARAM, _LONGEST_TAG = 6000, 5000
_BATCH = 100
_STATUS = {"succeeded": "FINISHED", "interrupted": "KILLED"}


class MlflowMissingError(UnsupportedError):
    """MLflow's client is not installed."""

    code = "mlflow-missing"
    default_hint = "install it: pip install 'fourfold[mlflow]'"


class MlflowFailedError(UnavailableError):
    """The tracking store did not take the run."""

    code = "mlflow-failed"


class Logged(NamedTuple):
    """What was written.

    Attributes:
        run: MLflow's id of the run.
        experiment: MLflow's id of the experiment.
        artifacts: How many files went along.
    """

    run: str
    experiment: str
    artifacts: int


def log(dossier: Dossier, uri: str, experiment: str, store: "ObjectStore | None" = None) -> Logged:
    """Write the run.

    Args:
        dossier: The run.
        uri: Of the tracking store: ``http://...``, ``file:...``, ``sqlite:...``.
        experiment: Its name; made when it is not there.
        store: Where results are; None sends none.

    Raises:
        MlflowMissingError: there is no client.
        MlflowFailedError: the store cannot be reached, or refuses.
    """
    try:
        from mlflow.exceptions import MlflowException  # noqa: PLC0415 - an extra, and slow to load
        from mlflow.tracking import MlflowClient  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise MlflowMissingError("MLflow is not installed") from error
    try:
        client: Any = MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(experiment)
        where = found.experiment_id if found is not None else client.create_experiment(experiment)
        return _log(client, where, dossier, store)
    except (MlflowException, OSError) as error:
        text = " ".join(str(error).split())[:300]
        raise MlflowFailedError(f"MLflow did not take the run: {text}") from error


def _log(client: Any, experiment: str, dossier: Dossier, store: "ObjectStore | None") -> Logged:
    record = dossier.record
    started, ended = _moment(record.times.started), _moment(record.times.ended)
    tags = {name: value[:_LONGEST_TAG] for name, value in _tags(dossier).items()}
    run = client.create_run(experiment, start_time=started, tags=tags, run_name=dossier.act.name)
    name, state = run.info.run_id, "FAILED"  # what is not whole must not look as if it ran on
    try:
        sent = _fill(client, name, dossier, store, ended)
        state = _STATUS.get(record.outcome.state, "FAILED")
    finally:
        client.set_terminated(name, state, ended)
    return Logged(name, experiment, sent)


def _fill(client: Any, name: str, dossier: Dossier, store: "ObjectStore | None", ended: int) -> int:
    """Everything of a run but its end; how many files went."""
    from mlflow.entities import (  # noqa: PLC0415 - an extra
        Dataset,
        DatasetInput,
        InputTag,
        Metric,
        Param,
        RunTag,
    )

    params = [Param(_key(key), str(value)[:_LONGEST_PARAM]) for key, value in leaves(dossier.act.params)]
    metrics = [Metric(_key(key), value, ended, 0) for key, value in sorted(dossier.act.metrics.items())]
    for at in range(0, max(len(params), len(metrics)), _BATCH):
        client.log_batch(name, metrics[at : at + _BATCH], params[at : at + _BATCH], [RunTag("fourfold", "1")])
    inputs = [
        DatasetInput(
            Dataset(item.path, item.blake3 or item.md5, "fourfold", item.path),
            [
                InputTag("mlflow.data.context", item.role),
                *(InputTag(f"fourfold.{key}", value) for key, value in item.digests.items()),
            ],
        )
        for item in dossier.act.inputs
        if item.md5 and item.role != "params"
    ]
    if inputs:
        client.log_inputs(name, inputs)
    sent = 0
    for item in dossier.act.outputs if store is not None else ():
        if not item.md5 or is_tree(Oid(item.md5)) or is_unsafe_path(item.path):
            continue
        if store is not None and store.has(Oid(item.md5)):
            _send(client, name, item.path, store.path(Oid(item.md5)))
            sent += 1
    return sent


def _send(client: Any, run: str, path: str, source: str) -> None:
    """Send a file of the cache under its own name."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - where something is sent

    with TemporaryDirectory(prefix="fourfold-") as folder:
        link = os.path.join(folder, os.path.basename(path))
        os.symlink(source, link)
        client.log_artifact(run, link, os.path.dirname(path) or None)


def _key(name: str) -> str:
    """A name as MLflow takes it: letters, digits, and a few signs, of which the colon is none everywhere."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "." for letter in name)


def _tags(dossier: Dossier) -> dict[str, str]:
    found: Mapping[str, Any] = {
        "fourfold.run": dossier.run,
        "fourfold.stage": dossier.record.stage,
        "fourfold.code.tree": dossier.value("code", "tree"),
        "fourfold.environment": dossier.value("environment", "digest"),
        "fourfold.seed": dossier.value("randomness", "seed"),
        "fourfold.determinism": dossier.value("randomness", "determinism"),
        "mlflow.source.git.commit": dossier.commit,
        "mlflow.source.git.repoURL": dossier.value("code", "remote"),
        "mlflow.source.name": "; ".join(dossier.record.command),
        "mlflow.user": dossier.author[0] if dossier.author else "",
        **{f"fourfold.output.{item.path}": item.blake3 or item.md5 for item in dossier.act.outputs},
    }
    return {_key(name): str(value) for name, value in found.items() if value is not None and value != ""}


def _moment(text: str) -> int:
    """Milliseconds since 1970."""
    from datetime import datetime  # noqa: PLC0415 - only here

    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0
