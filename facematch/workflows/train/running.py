"""Run a plan to its end, and write what came of it as a bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from facematch.errors import OutputError
from facematch.training.recipe import recipe_toml
from facematch.types import ARCFACE_112, Alignment
from facematch.workflows.train.planning import TrainPlan, remember_plan

if TYPE_CHECKING:
    from torch import Tensor, nn

    from facematch.embedding import ModelBundle
    from facematch.training.callbacks import Observer
    from facematch.training.trainer import Trainer


@dataclass(frozen=True, slots=True, eq=False)
class TrainResult:
    """What came of a run.

    Attributes:
        reason: why it ended, see :meth:`facematch.training.trainer.Trainer.run`.
        step: updates made.
        steps: updates of the whole schedule.
        bundle: what was written; None on ranks after the first.
        before: validation figures of the start; empty without a validation set or a start.
        after: the same of what was written.
        best_step: the update that it is from, None for the last.
    """

    reason: str
    step: int
    steps: int
    bundle: ModelBundle | None
    before: dict[str, float]
    after: dict[str, float]
    best_step: int | None

    @property
    def improved(self) -> bool | None:
        """Whether it validates better than its start; None if that is not known."""
        from facematch.training.validation import SCORE

        if SCORE not in self.before or SCORE not in self.after:
            return None
        return self.after[SCORE] > self.before[SCORE]


def run_training(plan: TrainPlan, callbacks: Sequence[Observer] = ()) -> TrainResult:
    """Trains, from the last checkpoint if there is one, and writes the bundle.

    The bundle holds the averaged weights that validated best, or the last ones where there is
    no validation set. It is written however the run ended, but for an error.

    Args:
        plan: what to do.
        callbacks: that watch.

    Raises:
        TrainingError: the loss is no number any more, or the embeddings have collapsed.
        OutputError: checkpoint or bundle cannot be written.
    """
    from facematch.training.callbacks import (
        CollapseAlarm,
        KeepBest,
        LearningCurve,
        TensorBoardLog,
        TimeBudget,
        interruptible,
    )
    from facematch.training.parallel import prepare
    from facematch.training.trainer import freeze
    from facematch.training.validation import SCORE

    remember_plan(plan)
    setting = plan.setting
    watching: list[Observer] = [LearningCurve(), *callbacks]
    if setting.objective.metric is not None:
        watching.append(CollapseAlarm(setting.objective.metric.collapsed_loss))
    if plan.recipe.minutes is not None:
        watching.append(TimeBudget(plan.recipe.minutes))
    if setting.validate is not None:
        watching.append(KeepBest(SCORE))
    if plan.recipe.tensorboard:
        watching.append(TensorBoardLog())
    freeze(setting.network, plan.recipe.freeze)  # before the ranks agree on what is trained
    forward = prepare(setting.network, plan.recipe.parallel, setting.ranks, setting.device)
    trainer = setting.trainer(plan.steps, plan.run_dir, watching, forward)
    before = _before(plan)
    with interruptible(trainer):
        reason = trainer.run()
    if setting.ranks.index != 0:
        return TrainResult(reason, trainer.step, plan.steps, None, before, {}, None)
    state, after, best_step = _chosen(plan, trainer)
    bundle = _write_bundle(plan, trainer, state, before, after)
    return TrainResult(reason, trainer.step, plan.steps, bundle, before, after, best_step)


def _before(plan: TrainPlan) -> dict[str, float]:
    """Validation figures of the start, kept in the run's folder for a resumed run."""
    setting = plan.setting
    if plan.start is None or setting.validate is None or setting.ranks.index != 0:
        return {}
    path = plan.run_dir / "before.json"
    if path.exists():
        figures: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
        return figures
    figures = _validated(plan, plan.start.trainable_network())
    try:
        path.write_text(json.dumps(figures), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    return figures


def _chosen(
    plan: TrainPlan, trainer: Trainer
) -> tuple[dict[str, Tensor], dict[str, float], int | None]:
    """The weights to write, their validation figures, and the update they are from."""
    from facematch.training.callbacks import read_best

    if plan.setting.validate is None:
        return trainer.averaged_state(), {}, None
    best = read_best(plan.run_dir)
    state = trainer.averaged_state() if best is None else dict(best["average"])
    step = None if best is None else int(best["step"])
    return state, _validated(plan, _network_of(plan, state)), step


def _network_of(plan: TrainPlan, state: dict[str, Tensor]) -> nn.Module:
    """A whole network with these weights: the trained one may lie in shards."""
    from facematch.embedding.networks import NETWORKS

    network = NETWORKS[plan.recipe.network].build()
    network.load_state_dict({name: value.cpu() for name, value in state.items()})
    return network


def _validated(plan: TrainPlan, network: nn.Module) -> dict[str, float]:
    validate = plan.setting.validate
    assert validate is not None
    return dict(validate(network.eval().to(plan.setting.device), plan.setting.input_size))


def _write_bundle(
    plan: TrainPlan,
    trainer: Trainer,
    state: dict[str, Tensor],
    before: dict[str, float],
    after: dict[str, float],
) -> ModelBundle:
    from facematch.embedding.bundle import Preprocessing
    from facematch.embedding.export import export_bundle
    from facematch.embedding.networks import NETWORKS

    spec = NETWORKS[plan.recipe.network]
    return export_bundle(
        _network_of(plan, state),
        plan.output,
        name=plan.output.name.removesuffix(".fm"),
        architecture=plan.recipe.network.value,
        embedding_size=spec.embedding_size,
        preprocessing=Preprocessing(mean=127.5, scale=1 / 127.5, mirror=False),
        alignment=alignment_for(spec.input_size),
        about=_about(plan, trainer.step, before, after),
    )


def alignment_for(size: int) -> Alignment:
    """The 112x112 alignment of the training crops, scaled to another input size."""
    if size == ARCFACE_112.size:
        return ARCFACE_112
    factor = size / ARCFACE_112.size
    points = tuple((x * factor, y * factor) for x, y in ARCFACE_112.points_xy)
    return Alignment("similarity", size, points)


def _about(
    plan: TrainPlan, step: int, before: dict[str, float], after: dict[str, float]
) -> dict[str, Any]:
    """The card's account of the run."""
    report = asdict(plan.data)
    unreadable = report.pop("unreadable")
    about: dict[str, Any] = {
        "description": f"Trained by facematch train: {plan.recipe.network}, {plan.recipe.loss}.",
        "training_data": {**report, "unreadable": len(unreadable)},
        "recipe": recipe_toml(plan.recipe),
        "updates": {"made": step, "planned": plan.steps},
        "terms": "Those of the training data, which whoever trained it knows.",
    }
    if plan.start is not None:
        about["start"] = {
            "model": plan.start.identity.name,
            "fingerprint": plan.start.identity.fingerprint,
            "terms": plan.start.card.get("terms", "not stated"),
        }
    if after:
        about["results"] = {"validation_of_the_start": before, "validation": after}
    return about
