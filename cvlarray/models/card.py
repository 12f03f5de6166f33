"""The card of a checkpoint: a STAC Item in the words of its Machine Learning Model extension.

Version 1.4.0 of https://github.com/stac-extensions/mlm. What that extension has no word for carries
the prefix ``cvlarray:``. Any STAC catalogue takes it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cvlarray.models.model import Band, ModelSpec

__all__ = ["Architecture", "Card", "Normalisation", "card_of"]

Architecture = Literal[
    "segformer-small", "segformer-b0", "segformer-b1", "segformer-b2", "segformer-b3",
    "segformer-b4", "segformer-b5", "siamese-unet-8", "siamese-unet-16", "sar-unet-8",
    "sar-unet-16",
]  # fmt: skip

_EXTENSIONS = (
    "https://stac-extensions.github.io/mlm/v1.4.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
)
_SHA256 = r"^[0-9a-f]{64}$"
_MULTIHASH = "1220"
"""How a SHA-256 begins as a multihash, the form of ``file:checksum``."""


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True
    )


class Normalisation(_Part):
    """What is taken off each band and what it is divided by, in the band's units."""

    mean: tuple[float, ...] = Field(min_length=1)
    std: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Normalisation:
        if len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError("mean and std need a value for each band, std above 0")
        return self


class _BandEntry(_Part):
    name: str = Field(min_length=1)
    unit: str = "1"


class _Array(_Part):
    shape: tuple[int, ...]
    dim_order: tuple[str, ...]
    data_type: Literal["float32"] = "float32"


class _ZScore(_Part):
    type: Literal["z-score"] = "z-score"
    mean: float
    stddev: float = Field(gt=0)


class _Input(_Part):
    name: str
    bands: tuple[_BandEntry, ...] = Field(min_length=1)
    input: _Array
    value_scaling: tuple[_ZScore, ...]
    resize_type: None = None
    pre_processing_function: None = None

    @model_validator(mode="after")
    def _fits(self) -> _Input:
        n_bands = len(self.bands)
        if len(self.value_scaling) != n_bands or self.input.shape[1:2] != (n_bands,):
            raise ValueError("bands, value_scaling and shape need the same number of bands")
        return self


class _Class(_Part):
    value: int = Field(ge=0)
    name: str = Field(min_length=1)


class _Output(_Part):
    name: str
    tasks: tuple[Literal["semantic-segmentation"], ...]
    result: _Array
    classes: tuple[_Class, ...] = Field(alias="classification:classes", min_length=2)
    post_processing_function: None = None

    @model_validator(mode="after")
    def _fits(self) -> _Output:
        if [one.value for one in self.classes] != list(range(len(self.classes))):
            raise ValueError("classes need the values 0, 1, 2 and so on")
        if self.result.shape[1:2] != (len(self.classes),):
            raise ValueError("classes and shape need the same number of classes")
        return self


class _Properties(_Part):
    moment: str = Field(alias="datetime")
    description: str = ""
    licence: str = Field(alias="license")
    name: str = Field(alias="mlm:name", min_length=1)
    architecture: Architecture = Field(alias="mlm:architecture")
    tasks: tuple[Literal["semantic-segmentation"], ...] = Field(alias="mlm:tasks")
    framework: Literal["PyTorch"] = Field(default="PyTorch", alias="mlm:framework")
    framework_version: str = Field(alias="mlm:framework_version")
    total_parameters: int = Field(alias="mlm:total_parameters", ge=1)
    is_pretrained: bool = Field(default=False, alias="mlm:pretrained")
    pretrained_source: None = Field(default=None, alias="mlm:pretrained_source")
    hyperparameters: Mapping[str, Any] = Field(alias="mlm:hyperparameters", min_length=1)
    inputs: tuple[_Input] = Field(alias="mlm:input")
    outputs: tuple[_Output] = Field(alias="mlm:output")
    stride: int = Field(alias="cvlarray:stride", ge=1)
    halo: int = Field(alias="cvlarray:halo", ge=0)
    golden_output_sha256: str = Field(alias="cvlarray:golden_output_sha256", pattern=_SHA256)
    training_data: str = Field(alias="cvlarray:training_data", min_length=1)
    metrics: Mapping[str, float] = Field(alias="cvlarray:metrics")
    command: str = Field(alias="cvlarray:command", min_length=1)


class _Asset(_Part):
    href: str
    media_type: str = Field(default="application/octet-stream", alias="type")
    roles: tuple[str, ...] = ("mlm:model", "mlm:weights")
    artifact_type: Literal["safetensors"] = Field(default="safetensors", alias="mlm:artifact_type")
    checksum: str = Field(alias="file:checksum", pattern=rf"^{_MULTIHASH}[0-9a-f]{{64}}$")
    size: int = Field(alias="file:size", ge=1)


class _Assets(_Part):
    model: _Asset


class Card(_Part):
    """Everything one must know to run a checkpoint, and where it comes from."""

    type: Literal["Feature"] = "Feature"
    stac_version: Literal["1.1.0"] = "1.1.0"
    stac_extensions: tuple[str, ...] = _EXTENSIONS
    id: str
    geometry: None = None
    properties: _Properties
    links: tuple[()] = ()
    assets: _Assets

    @property
    def name(self) -> str:
        """How the model is called."""
        return self.properties.name

    @property
    def architecture(self) -> Architecture:
        """What its weights fit."""
        return self.properties.architecture

    @property
    def bands(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(band.name for band in self.properties.inputs[0].bands)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(one.name for one in self.properties.outputs[0].classes)

    @property
    def output(self) -> str:
        """Variable that says the class."""
        return self.properties.outputs[0].name

    @property
    def normalisation(self) -> Normalisation:
        """Of each band."""
        scaling = self.properties.inputs[0].value_scaling
        return Normalisation(
            mean=tuple(one.mean for one in scaling), std=tuple(one.stddev for one in scaling)
        )

    @property
    def weights_sha256(self) -> str:
        """Of the file of weights."""
        return self.assets.model.checksum.removeprefix(_MULTIHASH)

    @property
    def golden_output_sha256(self) -> str:
        """Of the classes that the weights give for the fixed chip of `torch_model`."""
        return self.properties.golden_output_sha256

    @property
    def metrics(self) -> Mapping[str, float]:
        """What it reached; the names say on what."""
        return self.properties.metrics

    @property
    def spec(self) -> ModelSpec:
        """What the model needs and gives."""
        bands = tuple(Band(band.name, band.unit) for band in self.properties.inputs[0].bands)
        properties = self.properties
        return ModelSpec(
            self.name,
            bands,
            self.classes,
            properties.stride,
            properties.halo,
            self.output,
            self.weights_sha256,
        )


_TASKS = ("semantic-segmentation",)


def card_of(facts: Mapping[str, Any], found: Mapping[str, Any]) -> Card:
    """Return the card of weights that have just been made.

    Parameters
    ----------
    facts
        ``name``, ``architecture``, ``bands``, ``units``, ``classes``, ``normalisation``,
        ``training_data``, ``hyperparameters``, ``licence``, ``command`` and ``moment`` (RFC 3339);
        perhaps ``output``, ``description`` and ``metrics``.
    found
        ``stride``, ``halo``, ``weights_name``, ``weights_sha256``, ``weights_bytes``,
        ``golden_output_sha256``, ``total_parameters`` and ``framework_version``.

    Raises
    ------
    ValueError
        If they don't fit each other.
    """
    properties = {
        "moment": facts["moment"],
        "description": facts.get("description", ""),
        "licence": facts["licence"],
        "name": facts["name"],
        "architecture": facts["architecture"],
        "tasks": _TASKS,
        "framework_version": found["framework_version"],
        "total_parameters": found["total_parameters"],
        "hyperparameters": facts["hyperparameters"],
        "inputs": [_input_of(facts)],
        "outputs": [_output_of(facts)],
        "stride": found["stride"],
        "halo": found["halo"],
        "golden_output_sha256": found["golden_output_sha256"],
        "training_data": facts["training_data"],
        "metrics": facts.get("metrics", {}),
        "command": facts["command"],
    }
    asset = {
        "href": f"./{found['weights_name']}",
        "checksum": _MULTIHASH + found["weights_sha256"],
        "size": found["weights_bytes"],
    }
    return Card.model_validate(
        {"id": facts["name"], "properties": properties, "assets": {"model": asset}}
    )


def _input_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes in: bands, their units, and how they are normalised."""
    bands, scaling = facts["bands"], Normalisation.model_validate(facts["normalisation"])
    return {
        "name": "chips",
        "bands": [
            {"name": name, "unit": unit} for name, unit in zip(bands, facts["units"], strict=True)
        ],
        "input": {
            "shape": (-1, len(bands), -1, -1),
            "dim_order": ("batch", "bands", "height", "width"),
        },
        "value_scaling": [
            {"mean": mean, "stddev": std}
            for mean, std in zip(scaling.mean, scaling.std, strict=True)
        ],
    }


def _output_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what comes out: logits of the classes."""
    classes = facts["classes"]
    return {
        "name": facts.get("output", "land_cover"),
        "tasks": _TASKS,
        "result": {
            "shape": (-1, len(classes), -1, -1),
            "dim_order": ("batch", "classes", "height", "width"),
        },
        "classes": [{"value": value, "name": name} for value, name in enumerate(classes)],
    }
