"""What does policy B hold a release to, beside policy A: is it stricter, looser, or neither?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel

from policies.model import LifetimeBudget, Limit, Policy

Effect = Literal["loosened", "removed", "changed", "tightened", "added", "reworded"]
Verdict = Literal["same", "stricter", "looser", "incomparable"]

# by effect: what lets more through comes first
_ORDER: tuple[Effect, ...] = ("loosened", "removed", "changed", "tightened", "added", "reworded")
_STRICTER = frozenset({"tightened", "added"})
_LOOSER = frozenset({"loosened", "removed"})

_WORDS = frozenset({"id", "version", "purpose", "cites", "sources", "not_held", "under_review"})
_HIGHER_IS_STRICTER = frozenset({"minimum_people", "confidence"})
_LOWER_IS_STRICTER = frozenset({"valid_days", "expires"})
_COMPARED_BY_PART = frozenset({"limits", "differential_privacy", "private_gate", "required_approvals"})


@dataclass(frozen=True)
class Change:
    """One field that differs. ``before`` and ``after`` are as a policy file writes them; None where there is none."""

    field: str
    effect: Effect
    before: Any
    after: Any

    def to_dict(self) -> dict[str, Any]:
        return {"field": self.field, "effect": self.effect, "a": self.before, "b": self.after}


@dataclass(frozen=True)
class Comparison:
    """Every difference of policy B from policy A, what lets more through first."""

    a: str
    b: str
    changes: tuple[Change, ...]

    @property
    def verdict(self) -> Verdict:
        """``stricter`` means: whatever B allows, A allows as well.

        A field that cuts both ways, or that this module does not know, makes two policies incomparable.
        """
        effects = {change.effect for change in self.changes} - {"reworded"}
        if not effects:
            return "same"
        if effects <= _STRICTER:
            return "stricter"
        return "looser" if effects <= _LOOSER else "incomparable"

    @property
    def in_words(self) -> str:
        """The verdict in a sentence."""
        return {
            "same": f"{self.b} holds a release to the same as {self.a}.",
            "stricter": f"{self.b} is stricter than {self.a}: whatever it allows, {self.a} allows as well.",
            "looser": f"{self.b} is looser than {self.a}: whatever {self.a} allows, it allows as well.",
            "incomparable": f"{self.b} is neither stricter nor looser than {self.a}: each may allow what the other "
            "denies.",
        }[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The shape ``--json`` prints."""
        return {
            "a": self.a,
            "b": self.b,
            "verdict": self.verdict,
            "changes": [change.to_dict() for change in self.changes],
        }


def compare(a: Policy, b: Policy) -> Comparison:
    """Hold two policies side by side.

    For one and the same set of measurements the verdict is exact: a stricter policy allows nothing that the other one
    denies. What moves the measurements themselves (the attacker, the attempts that share the confidence) is called
    ``changed``. More attempts cut both ways: each candidate has a wider interval, which may be denied where fewer
    attempts allow it, and there is one try more, which may be allowed where fewer attempts refuse it unread. In the
    parts of a private gate values are held without their intervals, but a wide one still makes some inconclusive.
    """
    changes = [*_limits(a, b), *_privacy(a, b), *_gate(a, b), *_approvals(a, b)]
    for name in Policy.model_fields:
        before, after = getattr(a, name), getattr(b, name)
        if name not in _COMPARED_BY_PART and before != after:
            changes.append(_change(name, _effect(name, before, after), before, after))
    changes.sort(key=lambda change: _ORDER.index(change.effect))
    return Comparison(a.id, b.id, tuple(changes))


def held_to(policy: Policy) -> dict[str, Any]:
    """What the policy holds a release to, without words and sources, as plain JSON values.

    Equal for two policies exactly where ``compare`` calls them the same.
    """
    held = policy.model_dump(mode="json", exclude={*_WORDS, "limits"}, exclude_none=True)
    claim, gate, approvals = policy.differential_privacy, policy.private_gate, policy.required_approvals
    if claim is not None:
        held["differential_privacy"]["lifetime"] = claim.lifetime_budget.model_dump()
    if gate is not None:
        held["private_gate"] = {"epsilon": gate.epsilon, "parts": gate.parts, "quorum": gate.quorum}
    if approvals is not None:
        held["required_approvals"]["roles"] = sorted(approvals.roles)
    bounds = {name: limit.model_dump(exclude={"source"}, exclude_none=True) for name, limit in policy.limits.items()}
    return {
        **_without_source(held),
        "limits": {name: {key: bound + 0 for key, bound in each.items()} for name, each in bounds.items()},  # no -0.0
    }


def _effect(name: str, before: Any, after: Any) -> Effect:
    if name in _WORDS or _without_source(before) == _without_source(after):
        return "reworded"
    if name == "disclosure":
        return "tightened" if after == "verdict" else "loosened"
    if name in _HIGHER_IS_STRICTER:
        return "tightened" if after > before else "loosened"
    if name in _LOWER_IS_STRICTER:
        return _bound(before, after, lower_is_stricter=True)
    return "changed"


def _without_source(value: Any) -> Any:
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, dict):
        return {key: _without_source(item) for key, item in value.items() if key != "source"}
    return value


def _limits(a: Policy, b: Policy) -> Iterator[Change]:
    for name in dict.fromkeys((*a.limits, *b.limits)):
        before, after = a.limits.get(name), b.limits.get(name)
        if before != after:
            yield _change(f"limits.{name}", _limit_effect(before, after), before, after)


def _limit_effect(before: Limit | None, after: Limit | None) -> Effect:
    if before is None or after is None:
        return "added" if before is None else "removed"
    effects = {
        _bound(before.min, after.min, lower_is_stricter=False),
        _bound(before.max, after.max, lower_is_stricter=True),
        _bound(before.fewest, after.fewest, lower_is_stricter=False),
        _reach(before.most_rows, after.most_rows),
    }
    return _joined(effects)


def _reach(before: int | None, after: int | None) -> Effect:
    """Of tables up to how many rows a limit is asked: None is of all."""
    if before == after:
        return "reworded"
    return "tightened" if after is None or (before is not None and after > before) else "loosened"


def _privacy(a: Policy, b: Policy) -> Iterator[Change]:
    before, after = a.differential_privacy, b.differential_privacy
    if before == after:
        return
    if before is None or after is None:
        yield _change("differential_privacy", "added" if before is None else "removed", before, after)
        return
    for name in ("epsilon", "delta"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield _change(f"differential_privacy.{name}", _bound(old, new, lower_is_stricter=True), old, new)
    budgets: tuple[LifetimeBudget, LifetimeBudget] = (before.lifetime_budget, after.lifetime_budget)
    for name in ("epsilon", "delta"):
        old, new = (getattr(budget, name) for budget in budgets)
        if old != new:
            effect = _bound(old, new, lower_is_stricter=True)
            yield _change(f"differential_privacy.lifetime.{name}", effect, old, new)
    if (before.unit, before.neighbours) != (after.unit, after.neighbours):
        yield _change("differential_privacy", "changed", before, after)
    elif before.source != after.source or budgets[0].source != budgets[1].source:
        yield _change("differential_privacy.source", "reworded", before.source, after.source)


def _gate(a: Policy, b: Policy) -> Iterator[Change]:
    """With a gate and without one, releases are decided by different numbers: neither is stricter.

    Of two gates only the quorum on equally many parts at equal noise can be held side by side.
    """
    before, after = a.private_gate, b.private_gate
    if before == after:
        return
    effect: Effect = "changed"
    if before is not None and after is not None and (before.epsilon, before.parts) == (after.epsilon, after.parts):
        effect = _bound(before.quorum, after.quorum, lower_is_stricter=False)
    yield _change("private_gate", effect, before, after)


def _approvals(a: Policy, b: Policy) -> Iterator[Change]:
    before, after = a.required_approvals, b.required_approvals
    if before == after:
        return
    if before is None or after is None:
        yield _change("required_approvals", "added" if before is None else "removed", before, after)
        return
    roles: Effect = "reworded"
    if set(before.roles) != set(after.roles):
        fewer, more = set(after.roles) < set(before.roles), set(after.roles) > set(before.roles)
        roles = "tightened" if fewer else "loosened" if more else "changed"
    effect = _joined({roles, _bound(before.count, after.count, lower_is_stricter=False)})
    yield _change("required_approvals", effect, before, after)


def _bound(before: Any, after: Any, *, lower_is_stricter: bool) -> Effect:
    """One bound, of a kind where None is no bound at all; ``reworded`` where it is the same."""
    if before == after:
        return "reworded"
    if before is None or after is None:
        return "tightened" if before is None else "loosened"
    return "tightened" if (after < before) is lower_is_stricter else "loosened"


def _joined(effects: set[Effect]) -> Effect:
    """Several parts of one field as one effect: parts that pull apart change it."""
    effects = effects - {"reworded"}
    if not effects:
        return "reworded"
    return effects.pop() if len(effects) == 1 else "changed"


def _change(field: str, effect: Effect, before: Any, after: Any) -> Change:
    return Change(field, effect, _plain(before), _plain(after))


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
