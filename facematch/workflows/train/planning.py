"""From a recipe to a run that is ready to start."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from facematch.choices import Architecture, Device
from facematch.embedding import Embedder, ModelBundle, find_model
from facematch.errors import DeviceUnavailableError, OutputError, TrainingError, UsageError
from facematch.runtime import open_engine
from facematch.training.recipe import Recipe, recipe_from, recipe_toml
from facematch.types import Float32Array, UInt8Array
from facematch.workflows.train.data import DataReport, open_training_data
from facematch.workflows.train.validating import ValidationSet

if TYPE_CHECKING:
    from facematch.training.objective import Teacher
    from facematch.training.ranks import Ranks
    from facematch.training.setting import Setting

PLAN = "plan.json"
# What may differ between two starts of one run without changing its numbers.
OUTSIDE_THE_NUMBERS = ("minutes", "threads", "tensorboard", "checkpoint_minutes")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class TrainPlan:
    """A run that is ready to start.

    Attributes:
        recipe: as it was asked for, with what the start decides.
        output: the bundle to write.
        run_dir: checkpoints and logs.
        setting: data, network, loss: everything built.
        data: what was read, and what was left out.
        validation: what the run is judged by, if anything.
        start: the bundle whose weights are the start, if there is one.
        steps: updates of the whole schedule.
    """

    recipe: Recipe
    output: Path
    run_dir: Path
    setting: Setting
    data: DataReport
    validation: ValidationSet | None
    start: ModelBundle | None
    steps: int

    @property
    def toml(self) -> str:
        """The recipe as a file that makes this run again."""
        return recipe_toml(self.recipe)


def read_recipe(options: dict[str, Any], file: Path | None) -> Recipe:
    """The recipe of a configuration file with options on top.

    Raises:
        UsageError: a value is unknown, of the wrong type or out of range.
    """
    return recipe_from(options, file)


def plan_training(
    recipe: Recipe,
    output: Path,
    *,
    run_dir: Path | None = None,
    device: Device = Device.AUTO,
    ranks: Ranks | None = None,
    progress: Progress = lambda done, total: None,
) -> TrainPlan:
    """Opens the data, builds network and loss, and refuses what cannot work.

    Args:
        recipe: what was asked for.
        output: the bundle to write at the end.
        run_dir: checkpoints and logs; beside the bundle by default.
        device: where to train.
        ranks: the processes that train together.
        progress: of reading the pictures.

    Raises:
        TrainingDataError: the data cannot be read or does not fit the recipe.
        TrainingError: the folder of the run holds another run.
        UsageError: options that do not go together.
        ModelError: a model to start from or to imitate cannot be used.
        OutputError: there is something else where the bundle would be.
        DeviceUnavailableError: the device is missing.
    """
    import torch

    from facematch.embedding.export import refuse_foreign
    from facematch.embedding.networks import NETWORKS
    from facematch.training.setting import build_setting

    refuse_foreign(output)
    run_dir = output.with_name(f"{output.name}.run") if run_dir is None else run_dir
    start = None if recipe.init is None else find_model(recipe.init)
    if start is not None:
        recipe = replace(recipe, network=_architecture(start))
    known_steps = _known_steps(recipe, run_dir)
    if recipe.threads is not None:
        torch.set_num_threads(recipe.threads)
    cv2.setNumThreads(0)  # its pool fights torch's for the cores
    taught = None if recipe.distill is None else find_model(recipe.distill)
    teacher = None if taught is None else _embedding_by(taught, device)
    looking = _unasked(recipe) if start is None else _embedding_by(start, device)
    spec = NETWORKS[recipe.network]
    data = open_training_data(recipe, run_dir / "cache", device, looking, progress)
    torch.manual_seed(recipe.seed)
    setting = build_setting(
        recipe,
        data.crops,
        spec.build() if start is None else start.trainable_network(),
        spec.input_size,
        spec.embedding_size,
        teacher=teacher,
        teacher_size=0 if taught is None else taught.identity.embedding_size,
        centres=data.centres,
        validate=None if data.validation is None else data.validation.check,
        device=_torch_device(device),
        ranks=ranks,
    )
    steps = setting.planned_steps() if known_steps is None else known_steps
    return TrainPlan(recipe, output, run_dir, setting, data.report, data.validation, start, steps)


def remember_plan(plan: TrainPlan) -> None:
    """Writes down how long the schedule is, for the same command to resume with.

    Raises:
        OutputError: the folder of the run cannot be written.
    """
    path = plan.run_dir / PLAN
    if path.exists():
        return
    document = {"recipe": _numbers(plan.recipe), "steps": plan.steps}
    try:
        plan.run_dir.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def _known_steps(recipe: Recipe, run_dir: Path) -> int | None:
    """The length of the schedule of a run that has begun in this folder.

    Raises:
        TrainingError: what has begun there is another run.
    """
    path = run_dir / PLAN
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        steps, known = int(document["steps"]), dict(document["recipe"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path}: cannot be read; delete {run_dir} to start over") from error
    different = [name for name, value in _numbers(recipe).items() if known.get(name) != value]
    if different:
        raise TrainingError(
            f"{run_dir}: holds a run with another {', '.join(different)}; repeat its options to "
            "go on with it, or name another --run-dir"
        )
    return steps


def _numbers(recipe: Recipe) -> dict[str, Any]:
    """What decides the numbers of a run, as JSON types."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(recipe)))
    return {name: value for name, value in plain.items() if name not in OUTSIDE_THE_NUMBERS}


def _architecture(start: ModelBundle) -> Architecture:
    try:
        return Architecture(start.architecture)
    except ValueError as error:
        raise UsageError(
            f"init: {start.identity.name} is a {start.architecture}, which cannot be trained; "
            f"there are {', '.join(Architecture)}"
        ) from error


def _torch_device(device: Device) -> str:
    """The device to train on; ``auto`` takes a GPU if there is one."""
    from facematch.runtime.torch_engine import available_devices

    there = available_devices()
    if device is Device.AUTO:
        return next((name for name in ("cuda", "mps") if name in there), "cpu")
    if device.value not in there:
        raise DeviceUnavailableError(
            f"--device {device.value}: torch finds no such device on this machine; "
            "use --device cpu or --device auto"
        )
    return device.value


def _embedding_by(bundle: ModelBundle, device: Device) -> Teacher:
    """Embeds training crops with a model, whatever the side of either.

    Raises:
        UsageError: the model wants faces cut otherwise.
    """
    if bundle.alignment.kind != "similarity":
        raise UsageError(
            f"{bundle.identity.name}: wants faces cut by {bundle.alignment.kind}, and training "
            "crops are aligned by landmarks; choose another model"
        )
    embedder = Embedder(bundle, open_engine(device))
    size = bundle.alignment.size

    def embed(crops_rgb: UInt8Array) -> Float32Array:
        if crops_rgb.shape[1] == size:
            return embedder.embed(crops_rgb)
        resized = [cv2.resize(crop, (size, size)) for crop in crops_rgb]
        return embedder.embed(np.stack(resized).astype(np.uint8))

    return embed


def _unasked(recipe: Recipe) -> Teacher:
    """Stands for the start's embedding in a run without a start, which needs none.

    Raises:
        UsageError: the recipe needs one.
    """
    for name in ("clean", "look_alikes", "exclude_like"):
        if getattr(recipe, name):
            raise UsageError(f"{name} looks at faces with the start network; give --init MODEL")

    def embed(crops_rgb: UInt8Array) -> Float32Array:
        raise AssertionError("nothing asks")

    return embed


def processes(device: Device) -> AbstractContextManager[Ranks]:
    """The processes of this run: those that torchrun started, or this one alone."""
    from facematch.training.parallel import launched

    return launched(_torch_device(device))
