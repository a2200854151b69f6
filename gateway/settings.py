"""The synthesizer settings file: which components, in which form, calibrated how."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.errors import GatewayError
from synth.calibration import DEFAULT_CALIBRATION, STEPS
from synth.components import REGISTRY
from synth.hybrid import DEFAULT_COMPONENTS

_PRIVATE_ONLY = ("graphical", "star")  # they learn from noisy tables
ComponentName = Annotated[str, Field(max_length=40)]


class SynthesizerSettings(BaseModel):
    """Settings of ``synth.HybridSynthesizer`` that a custodian may choose; every default is the measured one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    version: Literal[1] = 1
    components: tuple[ComponentName, ...] = DEFAULT_COMPONENTS
    form: Literal["guarded", "plain"] = "guarded"
    weights: dict[ComponentName, Annotated[float, Field(ge=0)]] | None = None
    selection: Literal["reinforce", "uniform"] = "reinforce"
    calibration: tuple[str, ...] = DEFAULT_CALIBRATION

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        if not self.components or len(set(self.components)) != len(self.components):
            raise ValueError("components must be named, each once")
        if set(self.components) - {*REGISTRY, *_PRIVATE_ONLY}:
            raise ValueError(f"unknown components; there are: {', '.join((*REGISTRY, *_PRIVATE_ONLY))}")
        if set(self.calibration) - set(STEPS):
            raise ValueError(f"unknown calibration; there are: {', '.join(STEPS)}")
        if self.weights is not None:
            if set(self.weights) != set(self.components):
                raise ValueError("weights must name exactly the components")
            if sum(self.weights.values()) <= 0:
                raise ValueError("weights must not all be zero")
        return self

    def private_arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``synth.PrivateHybridSynthesizer``: only what the file itself says.

        Raises
        ------
        GatewayError
            The file sets what is settled under differential privacy (weights and calibration follow the noisy tables,
            row-based components run on generated rows only), or leaves out the component the others start from.
        """
        senseless = sorted(self.model_fields_set - {"version", "components"})
        if senseless:
            raise GatewayError(
                f"the synthesizer settings name {', '.join(senseless)}, which have no meaning under the policy's "
                "differential privacy; leave them out"
            )
        if "components" not in self.model_fields_set:
            return {}
        if "graphical" not in self.components:
            raise GatewayError(
                "under differential privacy the components must include graphical: the others start there"
            )
        return {"components": self.components}

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``synth.HybridSynthesizer``.

        Raises
        ------
        GatewayError
            A component is named that there is only under differential privacy.
        """
        if set(self.components) & set(_PRIVATE_ONLY):
            raise GatewayError(
                f"the components {' and '.join(_PRIVATE_ONLY)} exist only where the policy demands differential privacy"
            )
        return {name: getattr(self, name) for name in ("components", "form", "weights", "selection", "calibration")}


def load_settings(path: Path) -> SynthesizerSettings:
    """Read a settings file (TOML).

    Raises
    ------
    GatewayError
        It cannot be read or breaks the model.
    """
    try:
        return SynthesizerSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as cause:
        raise GatewayError(f"{path.name}: cannot be read ({cause.strerror})") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise GatewayError(f"{path.name}: is not TOML in UTF-8") from None
    except ValidationError as cause:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'whole file'}: {item['msg'].removeprefix('Value error, ')}"
            for item in cause.errors(include_input=False, include_url=False)
        )
        raise GatewayError(f"{path.name}: {problems}") from None
