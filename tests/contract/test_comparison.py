"""The comparer notices: one test per way in which a front-end may be wrong, on recorded answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract import recorded
from tests.contract.compare import Known, differences
from tests.contract.wire import Answer, Value, decode

RUNNING = "vm-states/07-running"
SHORT = "vm-pool/03-vmpool-info"


def _known() -> Known:
    return Known(ids={("vm", vm): vm for vm in (10, 25, 26, 27, 28)})


def _changed(name: str, old: str, new: str) -> list[str]:
    """Differences after one edit of a recorded document."""
    answer = recorded.answer(name)
    assert old in answer.value, f"{old!r} is not in {name}"
    items = (answer.items[0], Value("string", answer.value.replace(old, new, 1)), answer.items[2])
    return differences(answer, replace(answer, items=items), _known())


@pytest.mark.parametrize("name", [RUNNING, SHORT, "vm-actions/05-action-missing-vm"])
def test_a_recording_agrees_with_itself(name: str) -> None:
    """Otherwise nothing below means anything."""
    assert differences(recorded.answer(name), recorded.answer(name), _known()) == []


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("another state", "<LCM_STATE>3</LCM_STATE>", "<LCM_STATE>2</LCM_STATE>"),
        ("a missing element", "<RESCHED>0</RESCHED>", ""),
        ("an extra element", "<RESCHED>0</RESCHED>", "<RESCHED>0</RESCHED><NEW>1</NEW>"),
        (
            "another order",
            "<STATE>3</STATE><LCM_STATE>3</LCM_STATE>",
            "<LCM_STATE>3</LCM_STATE><STATE>3</STATE>",
        ),
        ("plain text for CDATA", "<![CDATA[ephemeral,web]]>", "ephemeral,web"),
        ("CDATA for plain text", "<NAME>pend-0</NAME>", "<NAME><![CDATA[pend-0]]></NAME>"),
        ("an upper case MAC", "02:00:c0:a8:00:07", "02:00:C0:A8:00:07"),
        ("another VM", "<OID>10</OID>", "<OID>11</OID>"),
        ("a time that should not be", "<ETIME>0</ETIME>", "<ETIME>1795375999</ETIME>"),
        ("a time that is missing", "<PETIME>1795376008</PETIME>", "<PETIME>0</PETIME>"),
        ("an actor where none was", "<UID>-1</UID>", "<UID>0</UID>"),
        (
            "another attribute",
            "<![CDATA[1.0.1]]></RELEASE><SCHED",
            "<![CDATA[1.0.0]]></RELEASE><SCHED",
        ),
        (
            "an unexpanded context",
            "<SET_HOSTNAME><![CDATA[pend-0]]>",
            "<SET_HOSTNAME><![CDATA[$NAME]]>",
        ),
        ("an address left out", "<ETH0_IP><![CDATA[192.168.0.7]]>", "<ETH0_IP><![CDATA[]]>"),
        ("another permission", "<OTHER_U>0</OTHER_U>", "<OTHER_U>1</OTHER_U>"),
        ("another name", "<NAME>pend-0</NAME>", "<NAME>pend-1</NAME>"),
    ],
)
def test_changed_document_is_noticed(what: str, old: str, new: str) -> None:
    """One edit of a VM's document, one complaint at least."""
    assert _changed(RUNNING, old, new), what


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("another host", "<HOSTNAME>dummy03</HOSTNAME>", "<HOSTNAME>kvm-17</HOSTNAME>"),
        ("another time", "<STIME>1795375977</STIME>", "<STIME>1800000000</STIME>"),
        ("another address", "<IP><![CDATA[192.168.0.7]]>", "<IP><![CDATA[10.1.2.3]]>"),
        ("another port", "<PORT><![CDATA[5910]]>", "<PORT><![CDATA[6000]]>"),
        ("another key", "ssh-ed25519 AAAA", "ssh-rsa BBBB"),
    ],
)
def test_site_s_own_values_are_not_differences(what: str, old: str, new: str) -> None:
    """Two clouds that behave alike differ in these."""
    assert _changed(RUNNING, old, new) == [], what


def test_short_form_with_attributes_of_our_own_is_noticed() -> None:
    """The trap of one.vmpool.info: POOL must not be there, LABELS must."""
    extra = "<LABELS><![CDATA[ephemeral,web]]></LABELS><POOL><![CDATA[blue]]></POOL>"
    assert _changed(SHORT, "<LABELS><![CDATA[ephemeral,web]]></LABELS>", extra)


def test_short_form_with_plain_history_is_noticed() -> None:
    """The short form writes HOSTNAME as CDATA, the long one as text."""
    assert _changed(SHORT, "<ACTION><![CDATA[0]]></ACTION>", "<ACTION>0</ACTION>")


def test_vm_missing_in_a_list_is_noticed() -> None:
    """Only our own VMs count in a list, and each of them counts."""
    answer = recorded.answer(SHORT)
    assert differences(answer, _document_answer("<VM_POOL></VM_POOL>"), _known())


def test_other_people_s_vms_in_a_list_are_not_ours_to_compare() -> None:
    """A VM with an id that we did not make may come and go."""
    assert _changed(SHORT, "<VM_POOL>", "<VM_POOL><VM><ID>7</ID></VM>") == []


def test_list_in_rising_order_is_noticed() -> None:
    """Newest first."""
    answer = recorded.answer("vm-pool/05-vmpool-infoset")
    vms = answer.value.removeprefix("<VM_POOL>").removesuffix("</VM_POOL>").split("</VM><VM>")
    turned = "<VM_POOL><VM>" + vms[1].removesuffix("</VM>") + "</VM>" + vms[0] + "</VM></VM_POOL>"
    known = Known(ids={("vm", 25): 25, ("vm", 27): 27})
    assert differences(answer, _document_answer(turned), known)


def _document_answer(document: str) -> Answer:
    items = (Value("boolean", "1"), Value("string", document), Value("i4", "0"))
    return Answer(200, items)


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (2, Value("i4", "2048")),
        (2, Value("string", "1024")),
        (3, Value("i4", "-1")),
        (4, Value("i4", "-1")),
        (1, Value("string", "[one.vm.action] No such VM [99999].")),
        (1, Value("string", "Error getting virtual machine [99999].")),
        (0, Value("i4", "0")),
    ],
)
def test_changed_error_is_noticed(index: int, value: Value) -> None:
    """Code, types, object id, text: each element of the five."""
    wanted = recorded.answer("vm-actions/05-action-missing-vm")
    items = list(wanted.items)
    items[index] = value
    assert differences(wanted, Answer(200, tuple(items)), _known())


def test_error_of_three_elements_is_noticed() -> None:
    """A failure has five elements, a success three."""
    wanted = recorded.answer("vm-actions/05-action-missing-vm")
    assert differences(wanted, Answer(200, wanted.items[:3]), _known())


def test_success_where_an_error_was_recorded_is_noticed() -> None:
    """And the other way round."""
    error, success = (recorded.answer(f"vm-actions/{n}") for n in ("08-hold-when-held", "07-hold"))
    assert differences(error, success, _known())
    assert differences(success, error, _known())


def test_id_as_string_is_noticed() -> None:
    """pyone would hide it."""
    wanted = recorded.answer("vm-actions/07-hold")
    items = (wanted.items[0], Value("string", "10"), wanted.items[2])
    assert differences(wanted, Answer(200, items), _known())


def test_array_where_a_fault_was_recorded_is_noticed() -> None:
    """Wrong parameters are faults; so is their code part of the contract."""
    fault = recorded.answer("system/07-vm-info-missing-params")
    assert differences(fault, recorded.answer("vm-actions/05-action-missing-vm"), _known())
    assert differences(fault, replace(fault, fault=(-506, "Not enough parameters")), _known())


def test_parser_s_random_line_number_is_no_difference() -> None:
    """The same text gives another line number at each call of a real oned."""
    wanted = recorded.answer("vm-update/07-bad-syntax")
    items = list(wanted.items)
    items[1] = Value("string", wanted.value.replace("540422432", "7"))
    assert differences(wanted, Answer(200, tuple(items)), _known()) == []


def test_http_status_is_compared_first() -> None:
    """A 500 is no answer."""
    assert differences(recorded.answer(RUNNING), decode(500, b""), _known())


def test_only_looks_at_nothing_else() -> None:
    """And an ignored tag is not looked at at all."""
    answer = recorded.answer(RUNNING)
    items = (answer.items[0], Value("string", answer.value.replace("RESCHED", "OTHER")))
    got = Answer(200, (*items, answer.items[2]))
    assert differences(answer, got, _known(), only=("TEMPLATE",)) == []
    assert differences(answer, got, _known(), ignore=("RESCHED", "OTHER")) == []
    assert differences(answer, got, _known())
