"""The synthesizer settings file: which components, in which form, calibrated how."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gateway.errors import GatewayError
from synth.calibration import DEFAULT_CALIBRATION, METHODS
from synth.components import REGISTRY
from synth.hybrid import DEFAULT_COMPONENTS

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
        unknown = set(self.components) - set(REGISTRY)
        if unknown:
            raise ValueError(f"unknown components; there are: {', '.join(REGISTRY)}")
        if set(self.calibration) - set(METHODS):
            raise ValueError(f"unknown calibration; there are: {', '.join(METHODS)}")
        if self.weights is not None:
            if set(self.weights) != set(self.components):
                raise ValueError("weights must name exactly the components")
            if sum(self.weights.values()) <= 0:
                raise ValueError("weights must not all be zero")
        return self

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``synth.HybridSynthesizer``."""
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
