#!/usr/bin/env python3
"""EC-GAN's training iteration in PyTorch on the CPU, to measure `ecgan bench` against (benchmarks/run-cpu --peer).

usage: benchmarks/peers/iteration.py [--batch 64] [--width 16] [--threads N] [--steps 12] [--channels-last] [--compile]

The iteration is crates/ecgan/src/methods/ec_gan.rs with the summed update and threshold 0, so that every fake is kept
and no side can skip work: D's step on real images and fakes, G's against the updated and frozen D, C's on
CE(real) + lambda * CE(fakes, their own labels). f32, 32x32x3, data loading excluded; three steps come before the clock.
Prints one JSON object. Needs the package torch, nothing else.
"""
import argparse, json, resource, statistics, sys, time

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
    def __init__(self, a):
        layout = torch.channels_last if a.channels_last else torch.contiguous_format
        nets = [net.to(memory_format=layout) for net in (generator(), discriminator(), classifier(a.width))]
        adam = lambda net, decay: torch.optim.Adam(net.parameters(), lr=LR, betas=BETAS, weight_decay=decay)
        self.adam_g, self.adam_d, self.adam_c = map(adam, nets, [0.0, WEIGHT_DECAY, WEIGHT_DECAY])
        self.g, self.d, self.c = map(torch.compile, nets) if a.compile else nets
        self.real, self.fake = torch.ones(a.batch), torch.zeros(a.batch)

    def step(self, x, labels, z):
        bce = F.binary_cross_entropy_with_logits
        images = self.g(z)
        fakes = images.detach()
        descend(self.adam_d, bce(self.d(x), self.real) + bce(self.d(fakes), self.fake))
        # D's weights get no gradient from G's loss.
        self.d.requires_grad_(False)
        descend(self.adam_g, bce(self.d(images), self.real))
        self.d.requires_grad_(True)
        descend(self.adam_c, F.cross_entropy(self.c(x), labels) + LAMBDA * pseudo_label_loss(self.c(fakes)))


def pseudo_label_loss(logits):
    """Mean cross-entropy of the rows whose confidence exceeds the threshold, against their own largest class."""
    confidence, pseudo = logits.detach().softmax(1).max(1)
    kept = (confidence > THRESHOLD).to(logits.dtype)
    return F.cross_entropy(logits, pseudo, reduction="none").mul(kept).sum() / kept.sum().clamp(min=1)


def descend(adam, loss):
    adam.zero_grad()
    loss.backward()
    adam.step()


def main():
    after_import = peak_mb()
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--batch", type=int, default=64)
    a.add_argument("--width", type=int, default=16, help="channels of the classifier's first stage")
    a.add_argument("--threads", type=int, help="default: PyTorch's own choice")
    a.add_argument("--steps", type=int, default=12)
    a.add_argument("--channels-last", action="store_true")
    a.add_argument("--compile", action="store_true")
    a = a.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    ec_gan = EcGan(a)
    x = torch.rand(a.batch, 3, 32, 32) * 2 - 1
    if a.channels_last:
        x = x.to(memory_format=torch.channels_last)
    labels, seconds = torch.randint(CLASSES, (a.batch,)), []
    for _ in range(WARM_UP + a.steps):
        z = torch.randn(a.batch, NOISE, 1, 1)
        start = time.perf_counter()
        ec_gan.step(x, labels, z)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[WARM_UP:])
    print(json.dumps({
        "images_per_s": round(a.batch / median, 1), "ms_per_step_median": round(median * 1e3, 2),
        "peak_rss_mb": round(peak_mb()), "rss_after_import_mb": round(after_import), "batch": a.batch, "width": a.width,
        "threads": torch.get_num_threads(), "channels_last": a.channels_last, "compiled": a.compile,
        "peer": f"PyTorch {torch.__version__}",
    }))


if __name__ == "__main__":
    main()
