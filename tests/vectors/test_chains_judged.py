"""The bundled submissions with updates and layers, judged: verdicts, and what goes unnoticed."""

import json

import pytest

from tests.vectors.chains import IDS, SUBMISSIONS
from tests.vectors.rejection import run

MUTATION = "UPDATE-MUTATION-001"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    out = tmp_path_factory.mktemp("reports")
    done = run([SUBMISSIONS / name for name in IDS], out, tmp_path_factory.mktemp("cache"))
    assert done.returncode == 0, done.stdout
    return {n: json.loads((out / n / "report.json").read_text("utf-8")) for n in IDS}


def misapplications(report):
    return {
        finding["subject"].partition("/")[2]: finding
        for finding in report["findings"]
        if finding["check"] == MUTATION
    }


@pytest.mark.parametrize("id", IDS)
def test_it_passes(id, reports):
    others = [f for f in reports[id]["findings"] if f["check"] != MUTATION]
    assert {finding["verdict"] for finding in others} == {"pass"}
    assert reports[id]["verdict"] == "pass"


def test_every_misapplied_update_of_the_federated_chains_is_noticed(reports):
    found = misapplications(reports["digits-federated"])
    assert {finding["verdict"] for finding in found.values()} == {"pass"}
    kinds = {name.rpartition("/")[2] for name in found}
    assert kinds == {"dropped", "swapped", "repeated", "wrong-parent", "other-chain"}
    assert len(found) > 80


def test_misapplied_updates_of_the_weak_chains_go_unnoticed(reports):
    found = misapplications(reports["digits-weak-chain"])
    failed = {name: finding for name, finding in found.items() if finding["verdict"] == "fail"}
    for chain in ("delta", "nnc"):
        names = {f"{chain}-1/{kind}" for kind in ("dropped", "swapped", "repeated")}
        assert names < failed.keys()
        assert "the outcome is the same" in failed[f"{chain}-1/swapped"]["message"]
        assert "other tensors come out" in failed[f"{chain}-1/repeated"]["message"]
        assert "carries no protection" in failed[f"{chain}-1/dropped"]["message"]
    assert not misapplications(reports["digits-scalable"])
