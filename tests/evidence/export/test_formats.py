"""What is written is what the formats' own libraries and schemas take, and says what the record says."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from mlflow.tracking import MlflowClient
from rocrate.rocrate import ROCrate

from fourfold.base.errors import FourfoldError
from fourfold.evidence.export import card, checklist, cyclonedx, mlflow, rocrate, slsa
from fourfold.evidence.export.archive import pack
from fourfold.evidence.export.dossier import Dossier, Said, gather
from fourfold.formats.attest import intoto
from fourfold.formats.attest import slsa as words
from fourfold.formats.native.fact import absent, observed
from fourfold.formats.native.record import COORDINATES
from tests.fixtures.fitted import opened
from tests.fixtures.sandbox import Sandbox


def test_an_ro_crate_is_read_by_its_library_and_names_files_values_and_times(
    dossier: Dossier, tmp_path: Path
) -> None:
    (tmp_path / rocrate.NAME).write_bytes(rocrate.render(dossier, licence="Apache-2.0"))
    crate = ROCrate(str(tmp_path))
    assert crate.mainEntity.id == "dvc.yaml"
    actions = {entity.id: entity for entity in crate.get_entities() if entity.type == "CreateAction"}
    assert len(actions) == 3  # two stages, and the pipeline
    fit = actions[f"#run-{dossier.run[:16]}"]
    assert {entity.id for entity in fit["object"]} >= {"table.txt", "fit.py"}
    named = {entity.get("name"): entity.get("value") for entity in [*fit["object"], *fit["result"]]}
    assert (named["rate"], named["model.depth"], named["scores.json:auc"]) == (0.5, 3, 0.75)
    facts = {entity["propertyID"]: entity["value"] for entity in fit["additionalProperty"]}
    assert facts["fourfold:randomness.seed"] == 11
    assert facts["fourfold:code.tree"] == dossier.value("code", "tree")
    assert fit["startTime"] == dossier.record.times.started
    assert fit["agent"]["name"] == "Ada Lovelace"
    table = crate.get("table.txt")
    assert len(table["sha256"]) == 64
    graph = json.loads((tmp_path / rocrate.NAME).read_bytes())["@graph"]
    known = {entity["@id"] for entity in graph}
    mentioned = {found for entity in graph for found in _references(entity) if not found.startswith("http")}
    assert mentioned <= known


def _references(value: object) -> set[str]:
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            return {value["@id"]}
        return {found for inner in value.values() for found in _references(inner)}
    if isinstance(value, list):
        return {found for inner in value for found in _references(inner)}
    return set()


def test_a_bill_of_materials_is_valid_and_has_packages_data_and_metrics(dossier: Dossier) -> None:
    text = cyclonedx.render(dossier)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.decode()) is None
    bom = json.loads(text)
    component = bom["metadata"]["component"]
    assert (component["type"], component["name"]) == ("machine-learning-model", "model.bin")
    metrics = component["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {"type": "scores.json:auc", "value": "0.75"} in metrics
    assert [one["name"] for one in bom["components"] if one["type"] == "data"] == ["raw"]
    assert cyclonedx.render(dossier) == text


def test_provenance_names_results_by_digests_that_others_compute(dossier: Dossier) -> None:
    statement = intoto.opened(slsa.provenance(dossier))
    assert [one.name for one in statement.subjects] == ["model.bin", "scores.json"]
    assert set(statement.subjects[0].digest) == {"sha256", "blake3"}  # a forged MD5 would be enough
    made = words.parse(statement.predicate)
    assert made.external["seed"] == 11
    assert made.external["params"] == {"rate": 0.5, "model.depth": 3}
    names = {one.name: one.digest for one in made.dependencies}
    assert names["code"] == {"gitCommit": dossier.commit}
    assert "table.txt" in names
    assert made.byproducts == ()  # all results are in the cache


def test_a_card_has_the_facts_and_leaves_judgement_blank(dossier: Dossier) -> None:
    text = card.render(dossier).decode()
    for fact in (
        *("| `scores.json:auc` | 0.75 |", "| `rate` | `0.5` |", "| seed | `11` |", "`model.bin`"),
        *(dossier.run, dossier.commit, "Ada Lovelace"),
    ):
        assert fact in text
    assert text.count(card.BLANK) > 10
    assert "## Ethical considerations\n\n[to be filled in]" in text


def test_names_from_a_record_are_no_markup() -> None:
    assert card.text("a|b <i>`x`\n# y") == "a\\|b \\<i\\>'x' \\# y"


def test_a_checklist_tells_what_holds_what_does_not_and_what_only_people_know(dossier: Dossier) -> None:
    text = checklist.render(dossier).decode()
    assert "- [x] The seed is recorded: `11`" in text
    assert "- [x] Each input is recorded by its content: 4 of 4" in text or "3 of 3" in text
    assert "- [ ] A lock file fixes the packages" in text
    assert "- [?] Error bars, over what they vary" in text
    assert "- [ ] A replay was compared with it\n" in text


def test_what_a_record_does_not_know_is_told_not_left_out(dossier: Dossier) -> None:
    record = dossier.record._replace(code={"commit": absent("no Git repository")})
    lacking = dossier._replace(
        acts=(dossier.act._replace(record=record),), unknown={"code.commit": "no Git repository"}, author=None
    )
    assert "- code.commit: no Git repository" in card.render(lacking).decode()
    assert "- [ ] The exact code is recorded: no Git repository" in checklist.render(lacking).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx.render(lacking).decode()) is None
    assert json.loads(rocrate.render(lacking))["@graph"]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_mlflow_has_parameters_metrics_inputs_by_whole_digests_and_artifacts(
    dossier: Dossier, fitted: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # its own word for a store without a server
    place, _ = opened(fitted)
    assert place.project is not None
    uri = f"file:{tmp_path / 'mlruns'}"
    logged = mlflow.log(dossier, uri, "lab", place.project.store)
    client = MlflowClient(tracking_uri=uri)
    run = client.get_run(logged.run)
    assert run.data.params == {"rate": "0.5", "model.depth": "3"}
    assert run.data.metrics == {"scores.json.auc": 0.75, "scores.json.by.rows": 2.0}
    assert run.data.tags["fourfold.run"] == dossier.run
    assert run.data.tags["mlflow.source.git.commit"] == dossier.commit
    assert run.inputs is not None
    inputs = {one.dataset.name: one.dataset.digest for one in run.inputs.dataset_inputs}
    assert len(inputs["table.txt"]) == 64
    assert (run.info.status, logged.artifacts) == ("FINISHED", 2)
    assert [one.path for one in client.list_artifacts(logged.run)] == ["model.bin", "scores.json"]


def with_fact(dossier: Dossier, coordinate: str, name: str, value: object) -> Dossier:
    """The same run, of which one thing is known otherwise."""
    record = dossier.record
    section = {**record.section(coordinate), name: observed(value)}
    act = dossier.act._replace(record=record._replace(**{coordinate: section}))
    return dossier._replace(acts=(*dossier.acts[:-1], act))


def test_what_nobody_watched_is_not_ticked_off(dossier: Dossier) -> None:
    facts = {
        ("randomness", "unseeded"): "No generator ran without a seed",
        ("randomness", "entropy"): "Nothing drew from the system's randomness",
        ("trace", "network"): "Nothing came over the network",
        ("code", "left_out"): "Nothing that was used is left out",
        ("code", "dirty"): "It is a commit, without changes",
    }
    for (coordinate, name), question in facts.items():
        record = dossier.record
        section = {**record.section(coordinate), name: absent("nobody looked")}
        act = dossier.act._replace(record=record._replace(**{coordinate: section}))
        text = checklist.render(dossier._replace(acts=(*dossier.acts[:-1], act))).decode()
        assert f"- [?] {question}: the record does not know" in text
    some = checklist.render(with_fact(dossier, "randomness", "unseeded", [1, 2])).decode()
    assert "- [ ] No generator ran without a seed: 2 did" in some


def test_a_parameter_that_is_a_list_is_told(dossier: Dossier) -> None:
    act = dossier.act._replace(params={"params.yaml": {"layers": [64, 32]}})
    listed = dossier._replace(acts=(*dossier.acts[:-1], act))
    bom = json.loads(cyclonedx.render(listed))
    said = {one["name"]: one["value"] for one in bom["metadata"]["properties"]}
    assert said["fourfold:param.layers"] == "[64, 32]"


def test_a_path_that_is_no_address_is_one_in_a_crate(dossier: Dossier) -> None:
    items = (dossier.act.outputs[0]._replace(path="my model#1.bin"),)
    act = dossier.act._replace(outputs=items)
    graph = json.loads(rocrate.render(dossier._replace(acts=(*dossier.acts[:-1], act))))["@graph"]
    (file,) = (one for one in graph if one.get("name") == "my model#1.bin")
    assert file["@id"] == "my%20model%231.bin"


def test_bytes_that_are_not_those_of_the_record_are_vouched_for_by_nobody(
    fitted: Sandbox, tmp_path: Path
) -> None:
    shutil.copytree(fitted.path, tmp_path / "repo", symlinks=True)
    place, records = opened(Sandbox(tmp_path / "repo", fitted.tool))
    run = records.resolve("fit")
    whole = {item.path: item for item in gather(place, records, run).act.outputs}
    assert whole["model.bin"].sha256
    assert place.project is not None
    path = Path(place.project.store.path(whole["model.bin"].md5))
    path.chmod(0o644)
    path.write_bytes(b"forged")
    found = {item.path: item for item in gather(place, records, run).act.outputs}
    assert found["model.bin"].sha256 == ""
    statement = intoto.opened(slsa.provenance(gather(place, records, run)))
    assert [one.name for one in statement.subjects] == ["scores.json"]


def test_a_verdict_is_told_with_who_vouches_for_it(dossier: Dossier) -> None:
    said = Said("bitwise", "every output has the same bytes", "not signed", {"predicate": {}})
    told = dossier._replace(statements=(said,))
    assert "- bitwise (not signed): every output has the same bytes" in card.render(told).decode()
    assert "- [x] A replay was compared with it: bitwise, not signed" in checklist.render(told).decode()
    assert "bitwise, not signed" in rocrate.render(told).decode()


@pytest.mark.parametrize(
    "strange",
    [
        7,
        "`x`|",
        "\udce9\ud800",
        [],
        [1, [2], {"path": 3}],
        {"file": 3, "digest": []},
        {"count": "x", "method": []},
        10**400,
    ],
)
def test_a_record_with_facts_of_any_shape_is_exported_or_refused_in_words(
    fitted: Sandbox, tmp_path: Path, strange: object
) -> None:
    shutil.copytree(fitted.path, tmp_path / "repo", symlinks=True)
    place, records = opened(Sandbox(tmp_path / "repo", fitted.tool))
    record = records.get(records.resolve("fit"))
    odd = {name: dict.fromkeys(record.section(name), observed(strange)) for name in (*COORDINATES, "trace")}
    row = dict.fromkeys(("md5", "blake3", "size", "nfiles", "role"), strange) | {"path": "a"}
    rows = observed([row, {"path": "b", "size": strange}, {"path": strange}, strange])
    odd["data"] |= {"inputs": rows, "outputs": rows, "metrics": observed({"m.json": {"x": strange}})}
    run = records.append(lambda previous: record._replace(**odd, previous=previous))
    found = gather(place, records, run)
    for render in (rocrate.render, cyclonedx.render, card.render, checklist.render):
        assert render(found)
    with suppress(FourfoldError):
        slsa.provenance(found)
    with suppress(FourfoldError):
        pack(place, records, run, str(tmp_path / "run.zip"))


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_a_run_that_mlflow_did_not_take_whole_is_failed_there(
    dossier: Dossier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    act = dossier.act._replace(params={"a.yaml": {"k": 1}, "params.yaml": {"a.yaml.k": 2}})  # one name there
    uri = f"file:{tmp_path / 'mlruns'}"
    with pytest.raises(mlflow.MlflowFailedError):
        mlflow.log(dossier._replace(acts=(*dossier.acts[:-1], act)), uri, "lab")
    client = MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("lab").experiment_id])
    assert run.info.status == "FAILED"
