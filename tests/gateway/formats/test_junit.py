"""JUnit XML that test reports take, read back by an independent library and by the standard library."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from junitparser import Failure, JUnitXml, TestCase, TestSuite

from gateway.formats.junit import junit
from policies import Measurement, decide
from tests.gateway.formats.decisions import MIXED, SILENT, allowed, bounded, leaked, mixed, policy, telling


def suite_of(text: str) -> TestSuite:
    [suite] = JUnitXml.fromstring(text.encode())
    assert isinstance(suite, TestSuite)
    return suite


def cases(suite: TestSuite) -> dict[str, TestCase]:
    return {case.name: case for case in suite}


def test_every_limit_is_a_case_and_every_limit_not_met_a_failure() -> None:
    suite = suite_of(junit(mixed(), MIXED, 12.3456))
    found = cases(suite)
    assert list(found) == list(MIXED.limits)
    assert {name for name, case in found.items() if not case.is_passed} == {f.measure for f in mixed().unmet}
    assert (suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) == ("p.1", 6, 5, 0, 0)
    assert suite.time == 12.346


def test_the_counts_are_those_a_parser_comes_to_itself() -> None:
    report = JUnitXml.fromstring(junit(mixed(), MIXED, 1).encode())
    told = (report.tests, report.failures, report.errors)
    report.update_statistics()  # type: ignore[no-untyped-call]
    assert (report.tests, report.failures, report.errors) == told


def test_a_failure_tells_a_broken_limit_from_one_that_was_not_measured() -> None:
    found = cases(suite_of(junit(mixed(), MIXED, 1, exact=True)))
    kinds = {}
    for name, case in found.items():
        for result in case.result:
            if isinstance(result, Failure):
                kinds[name] = result.type
    assert kinds == {
        "k_map": "limit",
        "linkability": "inconclusive",
        "singling_out": "inconclusive",
        "near_copy_excess": "failed",
        "rare_copies": "missing",
    }
    [failure] = found["k_map"].result
    assert failure.message == "k_map is 3; the limit of at least 11 is not met."


def test_an_allowed_file_has_no_failure() -> None:
    suite = suite_of(junit(*allowed(), 1, exact=True))
    assert (suite.tests, suite.failures) == (1, 0)
    [case] = suite
    assert case.is_passed
    assert "0.510 [0.480, 0.540]" in case.system_out
    [case] = suite_of(junit(*allowed(), 1))
    assert case.system_out == "membership_auc: the limit of at most 0.55 is met."


def test_no_measured_number_is_in_it_unless_it_is_asked_for() -> None:
    assert leaked(telling(), junit(telling(), MIXED, 1, exact=True)) >= {"517", "482", "739"}
    coarse = junit(telling(), MIXED, 1)
    assert not leaked(telling(), coarse)
    found = cases(suite_of(coarse))
    assert found["membership_auc"].system_out == "membership_auc: the limit of at most 0.55 is met."
    [broken], [open_] = found["k_map"].result, found["singling_out"].result
    assert (broken.type, broken.message) == ("limit", "k_map: the limit of at least 11 is not met.")
    assert open_.type == "inconclusive"
    assert open_.message == "singling_out: the limit of at most 0.05 is not met, the measurement is inconclusive."


def test_that_only_the_interval_is_in_the_way_does_not_show_unless_it_is_asked_for() -> None:
    """That the value itself is within its limit is exact."""
    said, one = {}, policy(membership_auc={"max": 0.1})
    for value in (0.05, 0.2):
        found = Measurement("membership_auc", value, 0.04, 0.6, 0.99, 300, "by hand")
        decision = decide(one, [found])
        assert decision.findings[0].undecided is (value == 0.05)
        said[value] = [junit(decision, one, 1, exact=exact) for exact in (False, True)]
    assert said[0.05][0] == said[0.2][0]
    assert 'type="inconclusive"' in said[0.05][1]
    assert 'type="limit"' in said[0.2][1]


def test_a_policy_that_discloses_its_verdict_alone_has_one_case() -> None:
    suite = suite_of(junit(telling(), SILENT, 1))
    assert (suite.tests, suite.failures, len(cases(suite))) == (1, 1, 1)
    text = junit(telling(), SILENT, 1)
    assert not [name for name in MIXED.limits if name in text]
    allowed_alone = suite_of(junit(allowed()[0], SILENT, 1))
    assert (allowed_alone.tests, allowed_alone.failures) == (1, 0)
    assert suite_of(junit(telling(), SILENT, 1, exact=True)).tests == len(MIXED.limits)


def test_what_xml_cannot_hold_is_replaced_and_what_it_can_is_kept() -> None:
    """A control character in a policy's text would make a file that no parser reads."""
    text = junit(mixed(), MIXED, 1, exact=True)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    assert "\x01" not in text
    root = ET.fromstring(text)  # noqa: S314  # our own file
    reasons = [failure.attrib["message"] for failure in root.iter("failure")]
    assert any("a <b> & \"c\" ]]> \ufffd \ud7ff 'd'" in reason for reason in reasons)


def test_the_file_names_policy_and_citations_and_says_that_it_stays_with_the_custodian() -> None:
    properties = [(each.name, each.value) for each in suite_of(junit(mixed(), MIXED, 1, exact=True)).properties()]  # type: ignore[no-untyped-call]
    assert ("policy", "p.1") in properties
    assert ("decision", "denied") in properties
    assert ("cites", "45 CFR 164.514") in properties
    assert any(name == "confidential" and "stay with the custodian" in value for name, value in properties)
    assert "no measured value" in junit(mixed(), MIXED, 1)


def test_a_limit_that_is_not_asked_is_a_skipped_case_and_does_not_tell_how_many_rows_there_are() -> None:
    text = junit(*bounded(), 1)
    suite = suite_of(text)
    assert (suite.tests, suite.failures, suite.skipped) == (2, 0, 1)
    case = cases(suite)["near_copy_excess"]
    assert case.is_skipped
    [skipped] = case.result
    assert skipped.message == (
        "near_copy_excess: the limit of at most 0.01, asked up to 2500 rows learned from, is not asked of so many."
    )
    assert "31337" not in text
    assert "31337" in junit(*bounded(), 1, exact=True)
