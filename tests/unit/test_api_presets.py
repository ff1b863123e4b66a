"""The shipped presets: valid, marked as assumptions, and as protocols/paypercloud.md 4 words them."""

import json

import pytest

from api import presets, profile
from api.errors import ProtocolError


def test_names():
    assert presets.preset_names() == ["default", "flat_rpc", "path_scoped"]
    presets.preset_names().clear()
    assert presets.preset_names()


@pytest.mark.parametrize("name", presets.preset_names())
def test_valid_complete_and_marked_as_an_assumption(name):
    document = presets.load(name)
    assert profile.validate(document) == []
    assert tuple(document["endpoints"]) == profile.ENDPOINT_KEYS
    assert document["verified_with_vendor"] is False
    assert "assumed" in document["name"] and "Assumption" in document["note"]
    assert document["status_map"] == profile.DEFAULT_STATUS_MAP
    assert document["honours_idempotency"] is False and document["require_amount"] is True
    assert all(endpoint["help"] for endpoint in document["endpoints"].values())


@pytest.mark.parametrize("name", presets.preset_names())
def test_survives_export_and_import(name):
    document = presets.load(name)
    again = json.loads(json.dumps(profile.normalise(document)))
    assert profile.normalise(again) == profile.normalise(document)


def test_each_load_is_a_fresh_document():
    presets.load("default")["name"] = "changed"
    assert presets.load("default")["name"] != "changed"


@pytest.mark.parametrize("name", ["", "Default", "../default", "default.json", None, [], 5])
def test_no_such_preset(name):
    with pytest.raises(ProtocolError) as caught:
        presets.load(name)
    assert caught.value.code == "choice"


SCOPE = "/pos/{pos_id}/terminals/{terminal_pid}"
CALLS = {
    "default": [
        "POST /operations/purchase",
        "POST /operations/refund",
        "POST /operations/void",
        "POST /operations/reconciliation",
        "GET /operations/{operation_id}/status",
        "GET /operations/{operation_id}/result",
        "POST /operations/{operation_id}/cancel",
        "GET /operations",
        "GET /reconciliations/last",
    ],
    "flat_rpc": [
        "POST /purchase",
        "POST /refund",
        "POST /void",
        "POST /reconciliation",
        "POST /operation-status",
        "POST /operation-result",
        "POST /operation-cancel",
        "POST /operations-list",
        "POST /last-reconciliation",
    ],
    "path_scoped": [
        f"POST {SCOPE}/operations/purchase",
        f"POST {SCOPE}/operations/refund",
        f"POST {SCOPE}/operations/void",
        f"POST {SCOPE}/operations/reconciliation",
        f"GET {SCOPE}/operations/{{operation_id}}/status",
        f"GET {SCOPE}/operations/{{operation_id}}/result",
        f"POST {SCOPE}/operations/{{operation_id}}/cancel",
        f"GET {SCOPE}/operations",
        f"GET {SCOPE}/reconciliations/last",
    ],
}


@pytest.mark.parametrize("name", sorted(CALLS))
def test_methods_and_paths(name):
    document = presets.load(name)
    assert document["base_path"] == "/api/v2"
    assert [f"{e['method']} {e['path']}" for e in document["endpoints"].values()] == CALLS[name]


def test_reads_of_the_flat_preset_may_be_repeated():
    endpoints = presets.load("flat_rpc")["endpoints"]
    safe = {key for key, endpoint in endpoints.items() if endpoint.get("retry_safe")}
    assert safe == {"operation_status", "operation_result", "operations_list", "last_reconciliation"}


def test_bodies():
    endpoints = presets.load("default")["endpoints"]
    assert set(endpoints["purchase"]["body"]) == {
        "posId",
        "pid",
        "amount",
        "currency",
        "reference",
        "idempotencyKey",
    }
    assert endpoints["operations_list"]["query"] == {
        "pos_pid": "{pos_id}",
        "tpe_pid": "{terminal_pid}",
        "period": "{period?}",
        "date": "{date?}",
    }
    flat = presets.load("flat_rpc")["endpoints"]
    assert set(flat["refund"]["body"]) == {
        *(
            "pos_pid",
            "tpe_pid",
            "amount",
            "currency",
            "reference",
            "idempotency_key",
            "original_operation_id",
        ),
    }
    assert flat["operation_status"]["body"]["operation_id"] == "{operation_id}"
