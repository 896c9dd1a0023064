"""Run a plan to its end, and write what came of it as a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from facematch.training.recipe import recipe_toml
from facematch.types import ARCFACE_112, Alignment, Float32Array
from facematch.workflows.train.planning import TrainPlan, remember_plan
from facematch.workflows.train.verdicts import Verdict, verdict

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
        start: name of the model that it began as, if there was one.
        verdict: what was written beside the start; None without a validation set or a start.
    """

    reason: str
    step: int
    steps: int
    bundle: ModelBundle | None
    before: dict[str, float]
    after: dict[str, float]
    best_step: int | None
    start: str | None = None
    verdict: Verdict | None = None

    @property
    def improved(self) -> bool | None:
        """Whether it validates better than its start; None if that is not known."""
        return None if self.verdict is None else self.verdict.better


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
    from facematch.training.validation import SCORE, TIE

    remember_plan(plan)
    setting = plan.setting
    watching: list[Observer] = [LearningCurve(), *callbacks]
    if setting.objective.metric is not None:
        watching.append(CollapseAlarm(setting.objective.metric.collapsed_loss))
    if plan.recipe.minutes is not None:
        watching.append(TimeBudget(plan.recipe.minutes))
    if setting.validate is not None:
        watching.append(KeepBest(SCORE, TIE))
    if plan.recipe.tensorboard:
        watching.append(TensorBoardLog())
    freeze(setting.network, plan.recipe.freeze)  # before the ranks agree on what is trained
    forward = prepare(setting.network, plan.recipe.parallel, setting.ranks, setting.device)
    trainer = setting.trainer(plan.steps, plan.run_dir, watching, forward)
    with interruptible(trainer):
        reason = trainer.run()
    if setting.ranks.index != 0:
        return TrainResult(reason, trainer.step, plan.steps, None, {}, {}, None)
    state, best_step = _chosen(plan, trainer)
    before, after, judged = _judged(plan, state)
    bundle = _write_bundle(plan, trainer, state, before, after, judged)
    start = None if plan.start is None else plan.start.identity.name
    return TrainResult(
        reason, trainer.step, plan.steps, bundle, before, after, best_step, start, judged
    )


def _judged(
    plan: TrainPlan, state: dict[str, Tensor]
) -> tuple[dict[str, float], dict[str, float], Verdict | None]:
    """Validation figures of the start and of these weights, and what that comes to."""
    if plan.validation is None:
        return {}, {}, None
    check = plan.validation.check
    of_trained = _distances(plan, _network_of(plan, state))
    after = dict(check.figures(of_trained))
    if plan.start is None:
        return {}, after, None
    of_start = _distances(plan, plan.start.trainable_network())
    found = verdict(of_start, of_trained, check.same, check.people)
    known = replace(found, learned_from=plan.validation.learned_from)
    return dict(check.figures(of_start)), after, known


def _chosen(plan: TrainPlan, trainer: Trainer) -> tuple[dict[str, Tensor], int | None]:
    """The weights to write, and the update they are from if they validated best."""
    from facematch.training.callbacks import read_best

    best = None if plan.validation is None else read_best(plan.run_dir)
    if best is None:
        return trainer.averaged_state(), None
    return dict(best["average"]), int(best["step"])


def _network_of(plan: TrainPlan, state: dict[str, Tensor]) -> nn.Module:
    """A whole network with these weights: the trained one may lie in shards."""
    from facematch.embedding.networks import NETWORKS

    network = NETWORKS[plan.recipe.network].build()
    network.load_state_dict({name: value.cpu() for name, value in state.items()})
    return network


def _distances(plan: TrainPlan, network: nn.Module) -> Float32Array:
    """float32 (n,), of the pairs of the validation set."""
    assert plan.validation is not None
    whole = network.eval().to(plan.setting.device)
    return plan.validation.check.distances(whole, plan.setting.input_size)


def _write_bundle(
    plan: TrainPlan,
    trainer: Trainer,
    state: dict[str, Tensor],
    before: dict[str, float],
    after: dict[str, float],
    judged: Verdict | None,
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
        about=_about(plan, trainer.step, before, after, judged),
    )


def alignment_for(size: int) -> Alignment:
    """The 112x112 alignment of the training crops, scaled to another input size."""
    if size == ARCFACE_112.size:
        return ARCFACE_112
    factor = size / ARCFACE_112.size
    points = tuple((x * factor, y * factor) for x, y in ARCFACE_112.points_xy)
    return Alignment("similarity", size, points)


def _about(
    plan: TrainPlan,
    step: int,
    before: dict[str, float],
    after: dict[str, float],
    judged: Verdict | None,
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
    if judged is not None:
        about["better_than_the_start"] = asdict(judged)
    return about
