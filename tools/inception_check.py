"""The part of tools/inception-check that needs PyTorch.

    inception_check.py make FOLDER       weights and images
    inception_check.py compare FOLDER    our features with PyTorch's
"""
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision.models.inception as inception
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional

SETS = [(32, 3), (64, 3), (32, 1)]
TOLERANCE = 1e-4
PER_CLASS = {"train": 8, "test": 2}


class Pools:
    """What the blocks call `F`: their average pools count the pixels that are there; in the last block it is a maximum."""

    maximum = False

    def __getattr__(self, name):
        return getattr(functional, name)

    def avg_pool2d(self, x, **window):
        return functional.max_pool2d(x, **window) if self.maximum else functional.avg_pool2d(x, **window, count_include_pad=False)


def network():
    """Inception v3 of which the head gives the features."""
    inception.F = pools = Pools()
    net = inception.Inception3(aux_logits=False, init_weights=False)
    net.Mixed_7c.register_forward_pre_hook(lambda *_: setattr(pools, "maximum", True))
    net.Mixed_7c.register_forward_hook(lambda *_: setattr(pools, "maximum", False))
    return net


def prepared(pixels, dtype=torch.float32):
    """[n, size, size, channels] in 0..255 as the network takes them."""
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(dtype) / 255
    x = functional.interpolate(x.expand(-1, 3, -1, -1), size=(299, 299), mode="bilinear", align_corners=False)
    return 2 * x - 1


def make(folder):
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    net = network()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.3)
            module.momentum = None  # the running statistics are the mean over batches
    for size, channels in SETS:
        for part, count in PER_CLASS.items():
            for name in ("a", "b"):
                own = folder / f"{size}-{channels}" / part / name
                own.mkdir(parents=True)
                for i in range(count):
                    # Coarse noise under fine noise, of any brightness.
                    coarse = random.uniform(0, 255, (8, 8, channels)).repeat(size // 8, 0).repeat(size // 8, 1)
                    image = np.clip(coarse * random.uniform(0.2, 1) + random.normal(0, 30, (size, size, channels)), 0, 255)
                    Image.fromarray(image.astype(np.uint8).squeeze()).save(own / f"{i}.png")
    with torch.no_grad():
        for size, channels in SETS:
            net(prepared(images(folder, size, channels, "train")))
    weights = {name: value.contiguous() for name, value in net.state_dict().items()}
    save_file(weights, folder / "all.safetensors")
    needed = {n: v for n, v in weights.items() if not n.startswith("fc.") and not n.endswith("num_batches_tracked")}
    save_file(needed, folder / "features-only.safetensors")


def images(folder, size, channels, part):
    files = sorted((folder / f"{size}-{channels}" / part).glob("*/*.png"))
    return np.stack([np.asarray(Image.open(file)).reshape(size, size, channels) for file in files])


def compare(folder):
    net = network()
    net.load_state_dict(load_file(folder / "all.safetensors"))
    net.fc = torch.nn.Identity()
    net.eval()
    worst, count = 0.0, 0
    for size, channels in SETS:
        pixels = images(folder, size, channels, "test")
        with torch.no_grad():
            in_f32 = net.float()(prepared(pixels)).double()
            theirs = net.double()(prepared(pixels, torch.float64))
        ours = load_file(folder / f"{size}-{channels}-all.safetensors")["real"]
        assert ours.shape == theirs.shape == (2 * PER_CLASS["test"], 2048), (ours.shape, theirs.shape)
        relative = lambda x: ((x - theirs).norm(dim=1) / theirs.norm(dim=1)).max().item()
        single = lambda x: ((x - theirs).abs().amax(dim=1) / theirs.square().mean(dim=1).sqrt()).max().item()
        apart = ((theirs[0] - theirs[1:]).norm(dim=1) / theirs[0].norm()).min().item()
        assert apart > 100 * TOLERANCE, f"the features of different images differ by {apart} only"
        print(f"{size}x{size}x{channels}, {len(ours)} images that differ by {apart:.2f}: ours {relative(ours):.1e} "
              f"(one number: {single(ours):.1e}), PyTorch's own f32 {relative(in_f32):.1e} ({single(in_f32):.1e})")
        worst, count = max(worst, relative(ours)), count + len(ours)
    if not worst < TOLERANCE:
        sys.exit(f"inception-check: failed: {worst:.1e}, expected less than {TOLERANCE}")
    print(f"inception-check: passed: 2048 features of {count} images within {worst:.1e}, PyTorch {torch.__version__}")


if __name__ == "__main__":
    {"make": make, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
