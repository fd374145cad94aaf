#!/usr/bin/env python3
"""EC-GAN's training iteration in PyTorch, to measure `ecgan bench` against (benchmarks/run-cpu --peer, tools/gpu-check).

usage: benchmarks/peers/iteration.py [--batch 64] [--width 16] [--threads N] [--steps 12] [--channels-last] [--compile]
       benchmarks/peers/iteration.py --device cuda [--modes f32-eager,bf16-compile-graph-cl,..] [--batch 64 256 1024]
                                     [--limit SECONDS] [--minutes M]

The iteration is crates/ecgan/src/methods/ec_gan.rs with the summed update and threshold 0, so that every fake is kept
and no side can skip work: D's step on real images and fakes, G's against the updated and frozen D, C's on
CE(real) + lambda * CE(fakes, their own labels). 32x32x3, data loading excluded; some steps come before the clock.

The first form runs on the CPU in f32 and prints one JSON object. The second (modes.py has it, and says what the modes are)
prints one a mode and batch as they come, a failure among them, each mode in a process of its own with a limit of time.
Needs the package torch, nothing else.
"""
import argparse, contextlib, json, resource, statistics, sys, time

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError:
    sys.exit(f"benchmarks/peers/iteration.py needs the package torch, which {sys.executable} does not have")

NOISE, GAN_WIDTH, CLASSES, WARM_UP = 100, 64, 10, 3
LAMBDA, THRESHOLD, LR, BETAS, WEIGHT_DECAY = 0.1, 0.0, 2e-4, (0.5, 0.999), 1e-3


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def generator():
    layers, c = [], NOISE
    for i, o in enumerate([4 * GAN_WIDTH, 2 * GAN_WIDTH, GAN_WIDTH]):
        stride, padding = (2, 1) if i else (1, 0)
        layers += [nn.ConvTranspose2d(c, o, 4, stride, padding, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True)]
        c = o
    return nn.Sequential(*layers, nn.ConvTranspose2d(c, 3, 4, 2, 1, bias=False), nn.Tanh())


def discriminator():
    layers, c = [], 3
    for o in [GAN_WIDTH, 2 * GAN_WIDTH, 4 * GAN_WIDTH]:
        layers += [nn.Conv2d(c, o, 4, 2, 1, bias=False), nn.BatchNorm2d(o), nn.LeakyReLU(0.2, inplace=True)]
        c = o
    return nn.Sequential(*layers, nn.Conv2d(c, 1, 4, bias=False), nn.Flatten(0))


def convolve(c, o, kernel, stride):
    return nn.Sequential(nn.Conv2d(c, o, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(o))


class BasicBlock(nn.Module):
    def __init__(self, c, o, stride):
        super().__init__()
        self.first, self.second = convolve(c, o, 3, stride), convolve(o, o, 3, 1)
        self.shortcut = nn.Identity() if c == o and stride == 1 else convolve(c, o, 1, stride)

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + self.shortcut(x))


def classifier(width):
    """ResNet-18 with a 3x3 stem: widths w, 2w, 4w, 8w."""
    layers, c = [convolve(3, width, 3, 1), nn.ReLU()], width
    for stage in range(4):
        o = width << stage
        layers += [BasicBlock(c, o, 2 if stage else 1), BasicBlock(o, o, 1)]
        c = o
    return nn.Sequential(*layers, nn.AvgPool2d(4), nn.Flatten(), nn.Linear(c, CLASSES))


class EcGan:
    """The networks, their optimizers and one iteration. `compiled` is what each part of it goes through."""

    def __init__(self, batch, width, device="cpu", channels_last=False, compiled=None, autocast=None, adam={}):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        nets = [net.to(device, memory_format=layout) for net in (generator(), discriminator(), classifier(width))]
        self.g, self.d, self.c = nets
        optimizer = lambda net, decay: torch.optim.Adam(
            net.parameters(), lr=LR, betas=BETAS, weight_decay=decay, **adam)
        self.adam_g, self.adam_d, self.adam_c = map(optimizer, nets, [0.0, WEIGHT_DECAY, WEIGHT_DECAY])
        self.real, self.fake = torch.ones(batch, device=device), torch.zeros(batch, device=device)
        self.autocast = autocast or contextlib.nullcontext
        parts = [self.g.forward, self.d_loss, self.g_loss, self.c_loss]
        self.generate, self.d_part, self.g_part, self.c_part = map(compiled, parts) if compiled else parts

    def d_loss(self, x, fakes):
        bce = F.binary_cross_entropy_with_logits
        return bce(self.d(x), self.real) + bce(self.d(fakes), self.fake)

    def g_loss(self, images):
        return F.binary_cross_entropy_with_logits(self.d(images), self.real)

    def c_loss(self, x, labels, fakes):
        return F.cross_entropy(self.c(x), labels) + LAMBDA * pseudo_label_loss(self.c(fakes))

    def forward(self, part, *operands):
        with self.autocast():
            return part(*operands)

    def step(self, x, labels, z):
        images = self.forward(self.generate, z)
        fakes = images.detach()
        descend(self.adam_d, self.forward(self.d_part, x, fakes))
        # D's weights get no gradient from G's loss.
        self.d.requires_grad_(False)
        descend(self.adam_g, self.forward(self.g_part, images))
        self.d.requires_grad_(True)
        descend(self.adam_c, self.forward(self.c_part, x, labels, fakes))

    def is_finite(self):
        return all(bool(p.isfinite().all()) for net in (self.g, self.d, self.c) for p in net.parameters())


def pseudo_label_loss(logits):
    """Mean cross-entropy of the rows whose confidence exceeds the threshold, against their own largest class."""
    confidence, pseudo = logits.detach().softmax(1).max(1)
    kept = (confidence > THRESHOLD).to(logits.dtype)
    return F.cross_entropy(logits, pseudo, reduction="none").mul(kept).sum() / kept.sum().clamp(min=1)


def descend(adam, loss):
    adam.zero_grad()
    loss.backward()
    adam.step()


def inputs(batch, device="cpu", channels_last=False):
    """Real images in [-1, 1] and their labels."""
    x = torch.rand(batch, 3, 32, 32, device=device) * 2 - 1
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return x.to(memory_format=layout), torch.randint(CLASSES, (batch,), device=device)


def on_cpu(a, after_import):
    batch = a.batch[0]
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    ec_gan = EcGan(batch, a.width, channels_last=a.channels_last, compiled=torch.compile if a.compile else None)
    (x, labels), seconds = inputs(batch, channels_last=a.channels_last), []
    for _ in range(WARM_UP + a.steps):
        z = torch.randn(batch, NOISE, 1, 1)
        start = time.perf_counter()
        ec_gan.step(x, labels, z)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[WARM_UP:])
    print(json.dumps({
        "images_per_s": round(batch / median, 1), "ms_per_step_median": round(median * 1e3, 2),
        "peak_rss_mb": round(peak_mb()), "rss_after_import_mb": round(after_import), "batch": batch, "width": a.width,
        "threads": torch.get_num_threads(), "channels_last": a.channels_last, "compiled": a.compile,
        "peer": f"PyTorch {torch.__version__}",
    }))


def main():
    after_import = peak_mb()
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--batch", type=int, nargs="+", default=[64])
    a.add_argument("--width", type=int, default=16, help="channels of the classifier's first stage")
    a.add_argument("--threads", type=int, help="default: PyTorch's own choice")
    a.add_argument("--steps", type=int, default=12)
    a.add_argument("--channels-last", action="store_true")
    a.add_argument("--compile", action="store_true")
    a.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    a.add_argument("--modes", help="comma-separated, or `all`; with --device cuda all is the default")
    a.add_argument("--limit", type=float, default=150, help="seconds for a mode, all batches together")
    a.add_argument("--minutes", type=float, default=1e9, help="after which no further mode begins")
    a.add_argument("--here", action="store_true", help="in this process")
    a.add_argument("--warm", action="store_true", help="only fill the compiler's cache")
    a = a.parse_args()
    if a.device == "cpu" and not a.modes:
        return on_cpu(a, after_import)
    import modes
    modes.run(a)


if __name__ == "__main__":
    main()
