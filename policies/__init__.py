"""What a custodian allows: policies, data dictionaries, and the decision."""

from policies.decide import Decision, Finding, decide
from policies.dictionary import Column, Dependency, Dictionary, Source
from policies.diff import Change, Comparison, compare
from policies.dump import dictionary_to_toml, released_part, source_to_toml
from policies.errors import DictionaryError, PolicyError
from policies.load import (
    load_dictionary,
    load_pack,
    load_policy,
    pack_names,
    parse_dictionary,
    parse_policy,
    read_pack,
)
from policies.measurement import Measurement
from policies.model import Limit, Policy
from policies.rules import RowRule

__all__ = [
    "Change",
    "Column",
    "Comparison",
    "Decision",
    "Dependency",
    "Dictionary",
    "DictionaryError",
    "Finding",
    "Limit",
    "Measurement",
    "Policy",
    "PolicyError",
    "RowRule",
    "Source",
    "compare",
    "decide",
    "dictionary_to_toml",
    "load_dictionary",
    "load_pack",
    "load_policy",
    "pack_names",
    "parse_dictionary",
    "parse_policy",
    "read_pack",
    "released_part",
    "source_to_toml",
]
