"""What is written is what the formats' own libraries and schemas take, and says what the record says."""

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from mlflow.tracking import MlflowClient
from rocrate.rocrate import ROCrate

from fourfold.evidence.export import card, checklist, cyclonedx, mlflow, rocrate, slsa
from fourfold.evidence.export.dossier import Dossier
from fourfold.formats.attest import intoto
from fourfold.formats.attest import slsa as words
from fourfold.formats.native.fact import absent
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
    assert set(statement.subjects[0].digest) == {"sha256", "blake3", "md5"}
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
    assert "- [ ] A replay was compared with it: 0 statements" in text


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
