"""The three networks in PyTorch, with the published parameter names, and their parameters by the formula.

DCGAN generator and discriminator (`main.0.weight`, ...), without biases; the discriminator ends in logits. The classifier is
a ResNet-18 of basic blocks (`layer2.0.shortcut.1.weight`, ...). Batch norm: eps 1e-5, momentum 0.1.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

from formula import fill, spec


class Chain(nn.Module):
    """Layers in a row under the name `main`; one image's single output becomes a scalar."""

    def __init__(self, layers):
        super().__init__()
        self.main = nn.Sequential(*layers)

    def forward(self, x):
        y = self.main(x)
        return y.flatten() if y.shape[1:].numel() == 1 else y


def generator(image_size=32, channels=3, nz=100):
    widths = [512, 256, 128, 64] if image_size == 64 else [256, 128, 64]
    layers, previous = [], nz
    for stage, width in enumerate(widths):
        stride, padding = (1, 0) if stage == 0 else (2, 1)
        layers += [nn.ConvTranspose2d(previous, width, 4, stride, padding, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        previous = width
    return Chain(layers + [nn.ConvTranspose2d(previous, channels, 4, 2, 1, bias=False), nn.Tanh()])


def discriminator(image_size=32, channels=3):
    layers, previous = [], channels
    for width in [64, 128, 256, 512] if image_size == 64 else [64, 128, 256]:
        layers += [nn.Conv2d(previous, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.LeakyReLU(0.2)]
        previous = width
    return Chain(layers + [nn.Conv2d(previous, 1, 4, 1, 0, bias=False)])


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        projected = [nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)]
        self.shortcut = nn.Sequential(*(projected if stride > 1 else []))

    def forward(self, x):
        inner = self.bn1(self.conv1(x)).relu()
        return (self.shortcut(x) + self.bn2(self.conv2(inner))).relu()


class Classifier(nn.Module):
    def __init__(self, width=16, classes=10, channels=3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(BasicBlock(width, width, 1), BasicBlock(width, width, 1))
        for stage in (2, 3, 4):
            inputs, width = width, width * 2
            blocks = nn.Sequential(BasicBlock(inputs, width, 2), BasicBlock(width, width, 1))
            self.add_module(f"layer{stage}", blocks)
        self.linear = nn.Linear(width, classes)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


def build(network, **shape):
    return {"generator": generator, "discriminator": discriminator, "classifier": Classifier}[network](**shape)


def weight_scale(layer, gain):
    """Uniform in +-scale has variance gain^2 / fan_in; a transposed convolution's fan-in is what one output pixel sees."""
    if isinstance(layer, nn.ConvTranspose2d):
        seen = 1 if layer.stride[0] == 1 else 4
        fan_in = layer.in_channels * seen
    elif isinstance(layer, nn.Conv2d):
        fan_in = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
    else:
        fan_in = layer.in_features
    return gain * math.sqrt(3.0 / fan_in)


def state_specs(network, net, running=(0.0, 0.0), linear_gain=1.0):
    """Formula entries for everything in the state dict but num_batches_tracked, in its order.

    `running` is the scale of the initial running means and variances; (0, 0) gives PyTorch's own 0 and 1.
    """
    entries = []
    for path, layer in net.named_modules():
        name = f"{network}.{path}"
        if isinstance(layer, nn.BatchNorm2d):
            c = [layer.num_features]
            entries += [spec(f"{name}.weight", c, 0.1, 1.0), spec(f"{name}.bias", c, 0.1)]
            entries += [spec(f"{name}.running_mean", c, running[0]), spec(f"{name}.running_var", c, running[1], 1.0)]
        elif isinstance(layer, nn.Linear):
            entries.append(spec(f"{name}.weight", layer.weight.shape, weight_scale(layer, linear_gain)))
            entries.append(spec(f"{name}.bias", layer.bias.shape, 0.1))
        elif hasattr(layer, "weight_orig"):
            entries.append(spec(f"{name}.weight_orig", layer.weight_orig.shape, weight_scale(layer.shape[0], math.sqrt(2.0))))
            entries.append(spec(f"{name}.bias", layer.bias.shape, 0.1))
            entries.append(spec(f"{name}.weight_u", layer.weight_u.shape, 1.0))
        elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            entries.append(spec(f"{name}.weight", layer.weight.shape, weight_scale(layer, math.sqrt(2.0))))
    expected = [f"{network}.{n}" for n in net.state_dict() if not n.endswith("num_batches_tracked")]
    assert [e["name"] for e in entries] == expected
    return entries


def load(network, net, entries, dtype=torch.float64):
    """Fills a network of that type with its entries; num_batches_tracked starts at 0."""
    net.to(dtype)
    state = {e["name"].removeprefix(f"{network}."): fill(e, dtype) for e in entries}
    tracked = {n: torch.tensor(0) for n in net.state_dict() if n.endswith("num_batches_tracked")}
    net.load_state_dict(state | tracked, strict=True)
    return net
