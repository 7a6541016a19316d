"""PyTorch by hand, eager or (`--compiled`) by torch.compile.

Data are one resident uint8 tensor, indexed by a permutation; the loss is summed
without leaving the device; Adam is the fused one. A last short batch is left
out, as it would be compiled for itself.
"""

import time

import torch

from tests.benchmarks.peers import task as task_lib
from tests.benchmarks.peers import torch_vae
from tests.benchmarks.peers.task import Task


def main(task: Task) -> None:
    """Trains and tells."""
    torch.set_num_threads(task_lib.num_cores())
    torch.manual_seed(0)
    train, test = (
        torch.from_numpy(x).permute(0, 3, 1, 2) for x in (task.train, task.test)
    )  # channels_last
    model = torch_vae.VAE(task.network, task.latent_dim)
    optimizer = torch.optim.Adam(
        model.parameters(), lr=task_lib.LEARNING_RATE, fused=True
    )
    loss_fn = torch.compile(model) if task.compiled else model
    size = task_lib.BATCH_SIZE
    steps = len(train) // size
    for epoch in range(1, task.epochs + 1):
        started = time.perf_counter()
        total = torch.zeros([])
        for ids in torch.randperm(len(train))[: steps * size].split(size):
            loss = loss_fn(train[ids])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        mean = float(total) / steps
        seconds = time.perf_counter() - started
        with torch.inference_mode():
            chunks = test.split(task_lib.EVAL_BATCH_SIZE)
            elbo = -sum(float(loss_fn(x)) for x in chunks) / len(chunks)
        task_lib.tell(
            epoch, loss=mean, elbo=elbo, images=steps * size, seconds=seconds
        )


if __name__ == "__main__":
    main(task_lib.read_task())
