"""Does the release let an intruder learn something about a person that is not true of people at large?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.attacks.forest import Forest
from audit.attacks.risk import Arm, Attack, strongest
from audit.attacks.targets import REAL, Match, Targets, match
from audit.classes import coded
from audit.outcome import FEWEST, too_few, void_all
from audit.plan import Plan
from audit.sides import SIDES, Side
from audit.tables import AuditTables
from policies import Measurement

NAMES = ("attribute_inference",)
# an overfitted model need not show: where columns are mostly categories, redrawing some of them blurs a match but
# leaves the secret as likely as an outsider thinks it is
CONTROLS = {"attribute_inference": Plan(0.0, NAMES, sees=("copies",))}

HIDDEN = 4  # groups of columns hidden in turn from an attacker who knows all others, at most
SUBSETS = 3  # random sets of known columns where no quasi-identifiers are declared
LONELY_MATCH, NEAREST_ROW, KNOWN_COLUMNS, MODEL = "lonely match", "nearest row", "known columns", "model"
CELLS = 1_000_000_000  # distances in all; a quarter of them leaves 900 people of a large table, whose intervals alone
# reach from 0 to 0.06 where several secrets are looked for
LONELY = 0.02  # share of holdout people whose match is as lonely as one the attacker trusts

Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Success = dict[Side, Floats]
Attempts = dict[tuple[str, str], Success]  # by attack and secret


def inference(tables: AuditTables, rng: np.random.Generator) -> tuple[Measurement, ...]:
    """Risk that a secret of a person is read off the release, beyond what it says of strangers; the worst secret.

    Secrets are the sensitive columns, or the target where none is declared, or else every column, as levels and bins
    (``audit.classes``), missing being a value. Constant ones are no secrets. Four attacks on each:

    1. *lonely match*: the attacker knows all other columns and believes the nearest released row only where it stands
       out (its distance over that of the tenth nearest is as small as for 2 % of holdout people). Success: the match
       stands out and names the secret rightly. Copies and near copies, of outliers above all, are found so, while the
       control fails all but 2 % of the time.
    2. *nearest row*: the attacker knows all other columns and always guesses.
    3. *known columns*: as 2, knowing the declared quasi-identifiers, or else ``attacker_known_columns`` at random
       (three sets, a person's success averaged over those without the secret).
    4. *model*: a random forest fitted on the release, knowing all other columns.

    In 2 to 4 a guess that an outsider would make as well is no success. The outsider is a forest fitted to holdout
    people (not to the attacked person's own half of them) that knows all columns but the secrets. So rates stay small
    where the population gives the secret away, and the comparison sharp. The rates are over people; the risk is that on
    train over that on holdout (see ``audit.attacks.risk``): what is true of the population is no risk. With more than
    four secrets, the columns hidden from attackers 1, 2 and 4 are dealt into four groups. The rate without the release
    is that of guesses drawn from the holdout's values.

    References
    ----------
    Giomi, Boenisch, Wehmeyer, Tasnádi, PoPETs 2023, section 5.3; Article 29 Working Party, Opinion 05/2014.
    """
    if tables.fewest_people < FEWEST:
        return too_few(NAMES, tables.fewest_people)
    if len(tables.dictionary.released) < 2:
        return void_all(NAMES, "inconclusive", "with one released column there is nothing to guess by")
    codes = coded(tables).codes
    secrets = [
        name
        for name in tables.dictionary.secrets or tables.dictionary.released
        if len(np.unique(np.concatenate([codes[side][name] for side in REAL]))) > 1
    ]
    if not secrets:
        return void_all(NAMES, "inconclusive", "every secret column holds one value only: there is nothing to guess")
    scene = _Scene.set_up(tables, codes, secrets, rng)
    found = _lonely_match(scene) | _nearest_row(scene) | _known_columns(scene) | _model(scene, rng)
    attacks = {
        f"{label}, column {secret}": scene.attack(label, secret, found[label, secret]) for label, secret in found
    }
    targets = scene.targets
    method = (
        f"{len(secrets)} secret columns, {targets.count('train')} train and {targets.count('holdout')} holdout people, "
        f"{len(targets.rows['released'])} distinct rows"
    )
    return (strongest("attribute_inference", attacks, tables.confidence, method),)


@dataclass(frozen=True)
class _Scene:
    """The attacked people, what is known of them, and what an outsider says of each secret."""

    targets: Targets
    codes: Mapping[Side, Mapping[str, Codes]]  # of the targets' and the released rows
    groups: tuple[tuple[str, ...], ...]  # secrets hidden together
    known: tuple[tuple[str, ...], ...]  # what the weaker attacker knows
    matches: Mapping[tuple[str, ...], Mapping[Side, Match]]  # by known columns
    outsider: Mapping[str, Mapping[Side, Codes]]  # by secret

    @classmethod
    def set_up(
        cls,
        tables: AuditTables,
        codes: Mapping[Side, Mapping[str, Codes]],
        secrets: Sequence[str],
        rng: np.random.Generator,
    ) -> _Scene:
        names = tables.dictionary.released
        order = [secrets[place] for place in rng.permutation(len(secrets))] if len(secrets) > HIDDEN else secrets
        groups = tuple(tuple(order[start::HIDDEN]) for start in range(min(HIDDEN, len(secrets))))
        groups = tuple(group for group in groups if _others(names, group))
        known = _known(tables, secrets, rng)
        views = list(dict.fromkeys([*(_others(names, group) for group in groups), *known]))
        targets = Targets.draw(tables, len(views), rng, CELLS)
        drawn = {side: {name: part[targets.rows[side]] for name, part in codes[side].items()} for side in SIDES}
        matches = {view: match(targets, view) for view in views}
        halves = {side: _halves(targets.person[side], rng) for side in REAL}
        outsider: dict[str, dict[Side, Codes]] = {}
        for group in groups:
            guesses = _outside_guesses(drawn, _others(names, group), group, halves, rng)
            for place, secret in enumerate(group):
                outsider[secret] = {side: guesses[side][:, place] for side in REAL}
        return cls(targets, drawn, groups, known, matches, outsider)

    def right(self, side: Side, secret: str, guess: Codes) -> NDArray[np.bool_]:
        """Which guesses are right."""
        result: NDArray[np.bool_] = guess == self.codes[side][secret]
        return result

    def told(self, side: Side, secret: str, guess: Codes) -> Floats:
        """1 where a guess is right and an outsider would have said otherwise."""
        news = self.right(side, secret, guess) & (guess != self.outsider[secret][side])
        return np.where(news, 1.0, 0.0)

    def attack(self, label: str, secret: str, success: Success) -> Attack:
        """The three arms of one attack."""
        views = sum(secret not in columns for columns in self.known) if label == KNOWN_COLUMNS else 1
        train, control = (Arm.of_people(success[side], self.targets.person[side], views) for side in REAL)
        known = {side: self.codes[side][secret] for side in REAL}
        share = np.bincount(known["holdout"], minlength=int(known["train"].max()) + 1) / len(known["holdout"])
        rate = share[known["train"]]
        rate = LONELY * rate if label == LONELY_MATCH else rate * (known["train"] != self.outsider[secret]["train"])
        blind = float(rate.mean())
        return Attack(train, control, blind, views * len(known["train"]))


def _lonely_match(scene: _Scene) -> Attempts:
    found: Attempts = {}
    for group in scene.groups:
        matches = scene.matches[_others(scene.targets.names, group)]
        limit = float(np.quantile(matches["holdout"].loneliness, LONELY, method="lower"))
        for secret in group:
            guess = scene.codes["released"][secret]
            found[LONELY_MATCH, secret] = {
                side: (
                    (part.loneliness <= limit) & (part.loneliness < 1) & scene.right(side, secret, guess[part.index])
                ).astype(np.float64)
                for side, part in matches.items()
            }
    return found


def _nearest_row(scene: _Scene) -> Attempts:
    found: Attempts = {}
    for group in scene.groups:
        matches = scene.matches[_others(scene.targets.names, group)]
        for secret in group:
            guess = scene.codes["released"][secret]
            found[NEAREST_ROW, secret] = {
                side: scene.told(side, secret, guess[part.index]) for side, part in matches.items()
            }
    return found


def _known_columns(scene: _Scene) -> Attempts:
    found: Attempts = {}
    for secret in itertools.chain(*scene.groups):
        guess = scene.codes["released"][secret]
        views = [scene.matches[known] for known in scene.known if secret not in known]
        if views:
            found[KNOWN_COLUMNS, secret] = {
                side: np.mean([scene.told(side, secret, guess[view[side].index]) for view in views], axis=0)
                for side in REAL
            }
    return found


def _model(scene: _Scene, rng: np.random.Generator) -> Attempts:
    found: Attempts = {}
    for group in scene.groups:
        others = _others(scene.targets.names, group)
        released = scene.codes["released"]
        forest = Forest.fit(_matrix(released, others), _matrix(released, group), rng)
        guesses = {side: forest.guess(_matrix(scene.codes[side], others)) for side in REAL}
        for place, secret in enumerate(group):
            found[MODEL, secret] = {side: scene.told(side, secret, guesses[side][:, place]) for side in REAL}
    return found


def _outside_guesses(
    codes: Mapping[Side, Mapping[str, Codes]],
    known: Sequence[str],
    secrets: Sequence[str],
    halves: Mapping[Side, NDArray[np.bool_]],
    rng: np.random.Generator,
) -> dict[Side, Codes]:
    """(targets, secrets) guesses of forests fitted to the half of the holdout that the target is not in."""
    guesses: dict[Side, Codes] = {side: np.empty((len(halves[side]), len(secrets)), dtype=np.int64) for side in REAL}
    for half in (False, True):
        fitted = halves["holdout"] != half
        real = codes["holdout"]
        forest = Forest.fit(_matrix(real, known)[fitted], _matrix(real, secrets)[fitted], rng)
        for side in REAL:
            asked = halves[side] == half
            guesses[side][asked] = forest.guess(_matrix(codes[side], known)[asked])
    return guesses


def _halves(person: Codes, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Each row's half, people kept whole."""
    _, person = np.unique(person, return_inverse=True)
    return (rng.permutation(int(person.max()) + 1) % 2).astype(np.bool_)[person]


def _matrix(codes: Mapping[str, Codes], names: Sequence[str]) -> Codes:
    return np.column_stack([codes[name] for name in names])


def _others(names: Sequence[str], hidden: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in hidden)


def _known(tables: AuditTables, secrets: Sequence[str], rng: np.random.Generator) -> tuple[tuple[str, ...], ...]:
    """Declared quasi-identifiers that are no secrets, or else random sets of columns; of secrets only if all are."""
    declared = tuple(name for name in tables.dictionary.quasi_identifiers if name not in secrets)
    if declared:
        return (declared,)
    names = tables.dictionary.released
    free = [name for name in names if name not in secrets] or list(names)
    size = min(tables.attacker_known_columns, len(free) - (len(free) == len(names)))
    if size < 1:
        return ()
    if math.comb(len(free), size) <= SUBSETS:
        return tuple(itertools.combinations(free, size))
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < SUBSETS:
        drawn.add(tuple(sorted(rng.choice(len(free), size, replace=False).tolist())))
    return tuple(tuple(free[place] for place in subset) for subset in sorted(drawn))
