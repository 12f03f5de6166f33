"""From a run's settings to the models that look at its cube."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from cvlarray.cluster import Executor, Task
from cvlarray.config import RunConfig
from cvlarray.errors import CheckpointError, ConfigError, MissingExtraError
from cvlarray.inference import Lattice, Windows
from cvlarray.models import Model, RadarRule, SpectralRule
from cvlarray.models.checkpoint import read_card
from cvlarray.models.runtime import Precision, Runtime
from cvlarray.pipeline.context import threads_of_a_worker

__all__ = [
    "checkpoint_of", "identity_of", "land_cover_model", "prepare", "radar_model", "windows_of",
]  # fmt: skip


def land_cover_model(config: RunConfig) -> Model | None:
    """Return the model of land cover, not loaded yet; None if the run has none.

    Raises
    ------
    ConfigError
        If it needs bands that the cube doesn't get, or other windows.
    CheckpointError
        If the folder isn't a checkpoint of land cover.
    MissingExtraError
        If what runs it isn't installed.
    """
    if config.models.land_cover is None:
        return None
    folder = config.models.land_cover.checkpoint
    model = SpectralRule() if folder is None else _checkpoint(folder, "land_cover", config)
    _check_bands(model, config)
    _check_windows(model, config)
    return model


def radar_model(config: RunConfig) -> Model | None:
    """Return the model of radar, not loaded yet; None if the run has none.

    Raises
    ------
    ConfigError
        If it needs other windows.
    CheckpointError
        If the folder isn't a checkpoint of radar.
    MissingExtraError
        If what runs it isn't installed.
    """
    if config.models.radar is None:
        return None
    folder = config.models.radar.checkpoint
    model = RadarRule() if folder is None else _checkpoint(folder, "radar", config)
    _check_windows(model, config)
    return model


def checkpoint_of(config: RunConfig) -> Path | None:
    """Return the folder of land cover's weights; None if the run has none."""
    return None if config.models.land_cover is None else config.models.land_cover.checkpoint


def windows_of(config: RunConfig) -> Windows:
    """Return how models are led over the pixels."""
    models = config.models
    return Windows(models.window, models.overlap, batch_size=models.batch_size)


def prepare(model: Model, folder: Path | None, workers: Executor, config: RunConfig) -> None:
    """Let every process that will run the model load and check it, once.

    Parameters
    ----------
    model
        What will be run.
    folder
        Of its weights; None if it has none.
    workers
        Who will run it.
    config
        How.

    Raises
    ------
    CheckpointError
        If one doesn't see the checkpoint, or computes something else than whoever trained it.
    """
    if folder is None:
        return
    task = Task(f"model-{model.spec.version}", needs_gpu=config.models.device != "cpu")
    workers.prepare(partial(_load, folder.resolve(), _runtime(config)), task)


def _load(folder: Path, runtime: Runtime) -> None:
    """Load a checkpoint in this process, whose units compute in one thread each."""
    import torch  # noqa: PLC0415 (an extra)

    from cvlarray.models.torch_model import load_model  # noqa: PLC0415 (an extra)

    torch.set_num_threads(1)
    load_model(folder, runtime).load()


def identity_of(model: Model, config: RunConfig) -> dict[str, Any]:
    """Return all that decides what a model says of given pixels, as JSON."""
    models = config.models
    identity: dict[str, Any] = {
        "weights": model.spec.version,
        "window": models.window,
        "overlap": models.overlap,
    }
    if model.spec.version:
        # Numbers are added in another order by another runtime, and for another batch.
        how: Mapping[str, Any] = models.model_dump(
            include={"runtime", "device", "precision", "batch_size"}
        )
        identity |= how
    return identity


_OUTPUTS = {"land_cover": "land_cover", "radar": "radar_change"}
"""What a model of each section says."""


def _checkpoint(folder: Path, section: str, config: RunConfig) -> Model:
    try:
        import torch  # noqa: F401, PLC0415 (an extra)

        from cvlarray.models.torch_model import CheckpointModel  # noqa: PLC0415 (takes a second)
    except ImportError as error:
        raise MissingExtraError(
            f"models.{section}.checkpoint needs `pip install 'cvlarray[models]'` (here: make "
            "models); leave it null for the rule without training"
        ) from error
    card = read_card(folder)
    if card.output != _OUTPUTS[section]:
        raise CheckpointError(
            f"{folder} says {card.output}, models.{section} needs a model that says "
            f"{_OUTPUTS[section]}"
        )
    return CheckpointModel(folder.resolve(), card, _runtime(config))


def _runtime(config: RunConfig) -> Runtime:
    from cvlarray.models.openvino_runtime import OpenVinoRuntime  # noqa: PLC0415 (needs torch)
    from cvlarray.models.torch_runtime import TorchRuntime  # noqa: PLC0415 (needs torch)

    precision = Precision(config.models.precision)
    if config.models.runtime == "openvino":
        return OpenVinoRuntime(precision, n_streams=threads_of_a_worker(config))
    return TorchRuntime(config.models.device, precision)


def _check_bands(model: Model, config: RunConfig) -> None:
    missing = [band.name for band in model.spec.bands if band.name not in config.cube.bands]
    if missing:
        raise ConfigError(
            f"cube.bands: expected {', '.join(missing)} too, for models.land_cover "
            f"({model.spec.name}), got {', '.join(config.cube.bands)}"
        )
    units = {band.name: band.units for band in model.spec.bands if band.units != "1"}
    if units:
        raise ConfigError(
            f"models.land_cover: {model.spec.name} takes {units}, the cube holds reflectance (1)"
        )


def _check_windows(model: Model, config: RunConfig) -> None:
    try:
        Lattice(config.models.window, config.models.overlap, model.spec.stride)
    except ValueError as error:
        raise ConfigError(f"models: {error}") from error
