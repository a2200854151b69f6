"""What HIPAA's Safe Harbor method removes, counted by a dictionary alone (45 CFR 164.514(b)(2)(i))."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from gateway.safe_harbor import NAMES, safe_harbor
from policies import Column, Dictionary

AGE = {"type": "integer", "minimum": 0.0}
SEX = {"type": "category", "categories": ("F", "M")}
DATE = {"type": "date", "minimum": dt.date(2000, 1, 1), "maximum": dt.date(2030, 1, 1)}


def counts(**columns: dict[str, Any]) -> dict[str, float]:
    dictionary = Dictionary.model_validate(
        {"version": 1, "name": "t", "columns": {"sex": SEX, **columns}},
    )
    return {m.name.removeprefix("safe_harbor_"): m.value for m in safe_harbor(dictionary)}


def category(*spellings: str) -> dict[str, Any]:
    return {"type": "category", "categories": spellings}


# names that tell by their words alone, by paragraph; (C), dates and ages, is told by types and bounds
NAMED = {
    "A": "name|patient_name|PatientName|first name|name_last|surname|mother_name|employerName|initials",
    "B": "district|county|home_city|Street|address|municipality|census_tract|hometown|village|gps",
    "D": "phone|home_telephone|MobileNo|cellphone|tel_no|contact_number",
    "E": "fax|fax_number|telefax",
    "F": "email|e-mail|email_address",
    "G": "ssn|social_security|social_security_number|SocialSecurityNo|national_insurance_no|national_id",
    "H": "medical_record_number|record_no|medicalRecord|patient_nbr|patientid|id_patient|mrn|chart_no",
    "I": "health_plan_id|member_number|HealthPlanNo|insurance_number|subscriber_id|medicaid_no|nhs_nr",
    "J": "account|account_no|bank_account|iban|credit_card",
    "K": "certificate_no|driving_licence|license_number|passport",
    "L": "vin|license_plate|vehicle_id|number_plate|plate_no",
    "M": "device_id|DeviceIdentifier|deviceNo|serial_number|device_serial|implant_no|pacemaker_id",
    "N": "url|website|web_page|web_address",
    "O": "ip|ip_address|mac_address",
    "P": "fingerprint|voice_print|biometric|biometric_id|iris_scan",
}


@pytest.mark.parametrize(
    ("name", "column", "group"),
    [
        ("admitted", DATE, "dates"),
        ("age", {**AGE, "maximum": 91.0}, "ages"),
        ("age_at_visit", {**AGE, "maximum": 110.0}, "ages"),
        ("oldness", {**AGE, "maximum": 110.0, "unit": "years"}, "ages"),
        ("AgeGroup", category("80-89", "90-94", "95+"), "ages"),
        ("zip", category("02138"), "places"),
        ("home", category("02138", "10001-1234"), "places"),
        ("ZipCode", {"type": "integer", "minimum": 0.0, "maximum": 99999.0}, "places"),
        ("contact", category("a@example.org", "none"), "numbers"),
        ("contact", category("https://example.org/p/1", "none"), "numbers"),
        ("contact", category("192.0.2.17", "none"), "numbers"),
        ("contact", category("078-05-1120", "none"), "numbers"),
        ("contact", category("(555) 010-1234", "none"), "numbers"),
        ("mrn", {"type": "integer", "minimum": 0.0, "maximum": 1e6}, "numbers"),
        *(
            (name, category("a", "b"), "places" if paragraph == "B" else "numbers")
            for paragraph, names in NAMED.items()
            for name in names.split("|")
        ),
    ],
)
def test_a_column_of_a_listed_kind_is_counted_once_in_its_group(name: str, column: dict[str, Any], group: str) -> None:
    assert counts(**{name: column}) == {"dates": 0, "ages": 0, "places": 0, "numbers": 0, group: 1}


# the columns of the tables that the examples and benchmarks use, without the two that are keys
TABLES = """
age workclass fnlwgt education education-num marital-status occupation relationship race sex capital-gain capital-loss
hours-per-week native-country income site cp trestbps chol fbs restecg thalach exang oldpeak slope ca thal num anaemia
creatinine_phosphokinase diabetes ejection_fraction high_blood_pressure platelets serum_creatinine serum_sodium smoking
time DEATH_EVENT gender weight admission_type_id discharge_disposition_id admission_source_id time_in_hospital
payer_code medical_specialty num_lab_procedures num_procedures num_medications number_outpatient number_emergency
number_inpatient diag_1 diag_2 diag_3 number_diagnoses max_glu_serum A1Cresult metformin repaglinide nateglinide
chlorpropamide glimepiride acetohexamide glipizide glyburide tolbutamide pioglitazone rosiglitazone acarbose miglitol
troglitazone tolazamide examide citoglipton insulin glyburide-metformin glipizide-metformin glimepiride-pioglitazone
metformin-rosiglitazone metformin-pioglitazone change diabetesMed readmitted mean_radius worst_concave_points
concavity_error mean_fractal_dimension diagnosis
"""
# names that hold a word of a listed kind, and mean something else
CLINICAL = """
device_type record_type record_available platelet_name drug_name brandName test_name generic_name hospital ward
urinary_tract_infection heart_block brain_region number_of_devices num_devices patient_no_show patient_number_of_visits
initial_dose growth_plate serial_troponin insurance_type health_plan_type member_status medical_history
fingerstick_glucose biometric_screening district_nurse_visits lat_wall_motion case_fatality subject_group
social_security_benefit_type national_origin personal_history community_acquired capacity personality contact_lens
telemetry implant_type pacemaker family_history first_visit last_dose full_term middle_ear given_insulin
parental_smoking spouse_smokes recorded profile identity rehabilitation state country region province group_id
"""


@pytest.mark.parametrize("name", [*TABLES.split(), *CLINICAL.split()])
def test_ordinary_clinical_names_are_not_taken_for_identifiers(name: str) -> None:
    assert set(counts(**{name: category("a", "b")}).values()) == {0}


def test_that_somebody_has_a_phone_is_no_number_and_two_numbers_are() -> None:
    assert set(counts(has_phone={"type": "boolean", "categories": ("no", "yes")}).values()) == {0}
    assert counts(reached={"type": "boolean", "categories": ("078-05-1120", "078-05-1121")})["numbers"] == 1


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("age", {**AGE, "maximum": 90.0}),  # 90 stands for 90 or older
        ("age", category("0-17", "18-89", "90 or older")),
        ("zip", category("021", "000")),
        ("zip3", {"type": "integer", "minimum": 0.0, "maximum": 999.0}),
        ("stage", {**AGE, "maximum": 200.0}),  # "age" is no word of it
        ("dose", {**AGE, "maximum": 12345.0}),
        ("year", {**AGE, "maximum": 2030.0}),
        ("code", category("250.83", "V27", "12345678")),
    ],
)
def test_what_may_stay_is_not_counted(name: str, column: dict[str, Any]) -> None:
    assert set(counts(**{name: column}).values()) == {0}


def test_what_is_never_released_is_not_counted() -> None:
    assert set(counts(email={"type": "identifier"}, street={"type": "text"}).values()) == {0}


def test_counts_are_exact_carry_the_columns_and_name_no_column() -> None:
    columns = {"secretzip": Column(type="category", categories=("02138",))}
    found = safe_harbor(Dictionary(version=1, name="t", columns=columns))
    assert tuple(m.name for m in found) == NAMES
    for m in found:
        assert (m.lower, m.upper, m.confidence, m.n, m.status) == (m.value, m.value, 1.0, 1, "measured")
        assert "secretzip" not in m.method
        assert "02138" not in m.method
