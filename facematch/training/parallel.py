"""Several processes that train one network, started by ``torchrun``.

Each process (rank) runs the same program on its own part of every batch:

* *data*: every rank has the whole network; gradients are averaged (``DistributedDataParallel``).
* *fsdp*, model parallel: weights, gradients, the optimizer's moments and the averaged weights
  lie in shards, one on each rank; a stage's weights are gathered when it runs (FSDP2,
  ``fully_shard``).
* *mixed*: a mesh of two dimensions, FSDP2 within groups of ranks and data parallel across.

A classification head too wide for one device is split beside any of them: ``wide_head``.

Where labels are compared, embeddings of all ranks are pooled first, so that mining sees the
whole batch. Loss and gradients are then those of one process on the joined batch: see
:meth:`DistributedRanks.pooled`. What differs is batch normalisation, which takes its
statistics from a rank's own part, except on CUDA, where ``SyncBatchNorm`` takes its place;
the running statistics in checkpoints are the first rank's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import chain

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Shard
from torch.distributed.tensor.parallel import loss_parallel
from torch.nn.parallel import DistributedDataParallel

from facematch.choices import Parallel
from facematch.errors import DeviceUnavailableError, TrainingError, UsageError
from facematch.training.losses.wide_head import WideHead
from facematch.training.ranks import OneRank, Ranks

# Between two meetings of the ranks the first one may validate and write files.
_PATIENCE = timedelta(hours=1)
_ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class DistributedRanks:
    """The ranks of the default process group of ``torch.distributed``.

    Attributes:
        device: where this rank's tensors are.
        mesh: all ranks in one dimension.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.index = distributed.get_rank()
        self.count = distributed.get_world_size()
        self.mesh = init_device_mesh(device.type, (self.count,), mesh_dim_names=("rank",))

    def pooled(self, tensor: Tensor) -> Tensor:
        """The rows of all ranks in their order, with the gradient to this rank's own.

        Ranks may have different numbers of rows. All must call this together.

        Every rank computes the same loss L from the same pooled rows E. The backward pass
        sums over ranks what their losses say of a row (``Partial``), which gives count times
        dL/dE, and the average over ranks that data parallelism takes of the weights'
        gradients divides by count again: what remains is the gradient of L.
        """
        own = torch.tensor([len(tensor)], device=tensor.device)
        counts = [torch.empty_like(own) for _ in range(self.count)]
        distributed.all_gather(counts, own)
        rows = [int(count) for count in torch.cat(counts).tolist()]
        most = max(rows)
        if len(tensor) < most:  # what is gathered must be of one size
            tensor = torch.cat([tensor, tensor.new_zeros(most - len(tensor), *tensor.shape[1:])])
        gathered = DTensor.from_local(tensor, self.mesh, [Shard(0)], run_check=False)
        pooled = gathered.full_tensor(grad_placements=[Partial()])
        if min(rows) == most:
            return pooled
        starts = range(0, len(pooled), most)
        return torch.cat([pooled[i : i + count] for i, count in zip(starts, rows, strict=True)])

    def agreed(self, *flags: bool) -> tuple[bool, ...]:
        shared = torch.tensor(flags, dtype=torch.uint8, device=self.device)
        distributed.broadcast(shared, 0)
        return tuple(bool(flag) for flag in shared.tolist())

    def follow(self, tensors: Iterable[Tensor]) -> None:
        with torch.no_grad():
            for tensor in tensors:
                sent = tensor.to(self.device).contiguous()
                distributed.broadcast(sent, 0)
                tensor.copy_(sent)

    def average(self, tensors: Iterable[Tensor]) -> None:
        with torch.no_grad():
            for tensor in tensors:
                total = tensor.contiguous()
                distributed.all_reduce(total)
                tensor.copy_(total / self.count)

    def split(self, head: WideHead) -> None:
        head.split(self.mesh)


@contextlib.contextmanager
def launched(device: torch.device | str = "cpu") -> Iterator[Ranks]:
    """The processes that ``torchrun`` started, joined; or this one alone.

    The group is NCCL's on CUDA, where each rank takes the device of its local number and
    makes it the current one, and gloo elsewhere. Sharded losses (``wide_head``) work inside.

    Args:
        device: where to train; ``cuda`` without a number.

    Raises:
        DeviceUnavailableError: the machine has fewer GPUs than ranks.
        TrainingError: the other processes cannot be reached.
        UsageError: the device is neither CPU nor CUDA.
    """
    device = torch.device(device)
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        yield OneRank()
        return
    if device.type == "cuda":
        device = _own_gpu()
    elif device.type != "cpu":
        raise UsageError(f"--device {device.type}: several processes train on cpu or cuda")
    try:
        distributed.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            timeout=_PATIENCE,
            device_id=device if device.type == "cuda" else None,
        )
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the processes cannot find each other ({str(error).splitlines()[0]}); start them "
            f"with torchrun, which sets {', '.join(_ENVIRONMENT)}"
        ) from error
    with loss_parallel():  # its backward pass needs it, too
        yield DistributedRanks(device)
    # Not after an error: this would wait for ranks that wait for this one. torchrun ends them
    # when this process ends.
    distributed.destroy_process_group()


def _own_gpu() -> torch.device:
    number, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= there:
        raise DeviceUnavailableError(
            f"process {number} of this machine has no GPU of its own, there are {there}; "
            f"start torchrun with --nproc-per-node {max(there, 1)}, or use --device cpu"
        )
    device = torch.device("cuda", number)
    torch.cuda.set_device(device)
    return device


def prepare(
    network: nn.Module,
    mode: Parallel,
    ranks: Ranks,
    device: torch.device | str = "cpu",
    group: int | None = None,
) -> nn.Module:
    """What the objective calls in place of the network, when several ranks train it.

    All ranks go on with the first one's weights. What is not to be trained must be frozen
    before (:func:`facematch.training.trainer.freeze`), and the objective must use the network
    by calling it, because that is what the ranks meet at.

    Args:
        network: changed in place: moved to the device, put in shards unless for *data*, and
            on CUDA with synchronised batch normalisation.
        mode: what the ranks share.
        ranks: the processes that train together.
        device: where to train.
        group: *mixed* only, how many ranks share one copy of the network; by default those of
            a machine where there are several, and otherwise two.

    Returns:
        The network wrapped for *data*, otherwise the network itself; also with one rank.

    Raises:
        UsageError: the ranks do not divide into such groups.
    """
    network.to(device)
    if ranks.count == 1:
        return network
    device = torch.device(device)
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    ranks.follow(chain(network.parameters(), network.buffers()))
    if mode is Parallel.DATA:
        # The layout first: gradients are exchanged in that of the weights.
        network.to(memory_format=torch.channels_last)
        return DistributedDataParallel(network)
    mesh = _mesh(mode, ranks.count, device.type, group)
    network.to(memory_format=torch.contiguous_format)  # all that fully_shard takes
    for stage in _stages(network):
        fully_shard(stage, mesh=mesh)
    fully_shard(network, mesh=mesh)
    return network


def _mesh(mode: Parallel, count: int, device_type: str, group: int | None) -> DeviceMesh:
    """One dimension for *fsdp*; for *mixed*, replicas x shards."""
    if mode is Parallel.FSDP:
        return init_device_mesh(device_type, (count,), mesh_dim_names=("shard",))
    if group is None:
        on_this_machine = int(os.environ.get("LOCAL_WORLD_SIZE", str(count)))
        group = on_this_machine if on_this_machine < count else 2
    if group < 1 or count % group != 0:
        raise UsageError(
            f"{count} processes cannot share the network in groups of {group}; start a multiple"
        )
    shape = (count // group, group)
    return init_device_mesh(device_type, shape, mesh_dim_names=("replicate", "shard"))


def _stages(network: nn.Module) -> Iterator[nn.Module]:
    """Parts of several layers, each gathered by itself; single layers go with the root."""
    for child in network.children():
        if isinstance(child, nn.ModuleList):  # which is a list, and never called
            yield from child
        elif any(True for _ in child.children()):
            yield child
