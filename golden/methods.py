"""Three iterations of each further method and option in PyTorch, in f64.

    shared:       L = CE(Dc(x), y) + lambda (BCE(Dd(x), 1) + BCE(Dd(G(z)), 0)), one trunk, then L_G = BCE(Dd(G(z)), 1)
    conditional:  D(x, y), G(z, y), L_C = CE(C(x), y) + lambda CE(C(G(z, y)), y) where softmax C(G(z, y)) at y > t
    options:      hinge losses, DiffAugment (arXiv 2006.10738), soft pseudo-labels, the mean over all fakes, smoothed labels,
                  moving averages of generator and classifier, fakes from the generator's, spectral norm in the discriminator
                  (arXiv 1802.05957), thresholds by class (the local ones of arXiv 2205.07246)

(The shared design and EC-GAN: arXiv 2012.15864.) The networks' state dicts and their filling are those of models.py.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

import models
from formula import digest, fill, flatten, labels, spec
from iterations import (ADAM, BATCH, CLASSES, LAMBDA, LINEAR, MARGIN, NETWORKS, WEIGHT_DECAY, concatenated, fake_statistics,
                        is_running)
from models import BasicBlock, Chain, Classifier, load, state_specs, weight_scale

COUNT, TEMPERATURE, CLASS_DECAY = 3, 0.5, 0.99
RUNS = [
    {"run": "shared_dc", "method": "shared-dc", "fake_statistics": "shared"},
    {"run": "shared_resnet", "method": "shared-resnet", "fake_statistics": "frozen"},
    {"run": "shared_resnet_hinge", "method": "shared-resnet", "fake_statistics": "running", "gan_loss": "hinge"},
    {"run": "conditional", "method": "conditional", "class_code": "one-hot", "fake_labels": "known", "threshold": 0.1,
     "linear_gain": 2.0},
    {"run": "conditional_pseudo", "method": "conditional", "class_code": "scalar", "fake_labels": "pseudo", "threshold": 0.5,
     "linear_gain": 4.0, "gan_loss": "hinge", "diff_augment": "translation+cutout"},
    {"run": "options", "method": "ec-gan", "fake_labels": "soft", "threshold": 0.5, "linear_gain": 4.0, "gan_loss": "hinge",
     "diff_augment": "all", "fake_mean": "all", "label_smoothing": 0.1, "ema_g": 0.5, "ema_c": 0.9, "fakes_from": "average"},
    {"run": "averages", "method": "ec-gan", "fake_labels": "pseudo", "threshold": 0.5, "linear_gain": 4.0,
     "diff_augment": "colour", "ema_g": 0.9},
    {"run": "spectral", "method": "ec-gan", "fake_labels": "pseudo", "threshold": 0.5, "linear_gain": 4.0, "gan_loss": "hinge",
     "norm_d": "spectral", "class_threshold": "balanced"},
    {"run": "spectral_conditional", "method": "conditional", "class_code": "one-hot", "fake_labels": "known", "threshold": 0.1,
     "linear_gain": 2.0, "norm_d": "spectral", "class_threshold": "balanced", "diff_augment": "translation"},
]
OFF = {"gan_loss": "bce", "diff_augment": "none", "fake_labels": "pseudo", "fake_mean": "kept", "label_smoothing": 0.0,
       "ema_g": 0.0, "ema_c": 0.0, "fakes_from": "generator", "class_code": "scalar", "threshold": 0.7,
       "fake_statistics": "shared", "linear_gain": 1.0, "norm_d": "batch", "class_threshold": "same"}


def codes(y, code):
    if code == "scalar":
        return (2.0 * y.double() / (CLASSES - 1) - 1.0).unsqueeze(1)
    return F.one_hot(y, CLASSES).double()


class ConditionalGenerator(nn.Module):
    """The class's numbers behind the noise."""

    def __init__(self, code):
        super().__init__()
        self.code = code
        self.main = models.generator(nz=100 + (1 if code == "scalar" else CLASSES)).main

    def forward(self, z, y):
        return self.main(torch.cat([z, codes(y, self.code)[:, :, None, None]], 1))


class SpectralConv(nn.Module):
    """W over |W^T u|, u a constant that power iteration moves once an iteration; autograd finds the gradient."""

    def __init__(self, conv):
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty_like(conv.weight))
        self.bias = nn.Parameter(torch.empty(conv.out_channels))
        self.register_buffer("weight_u", torch.empty(conv.out_channels))
        self.shape = (conv,)  # in a tuple, so that its weight is none of ours

    def prepare(self):
        with torch.no_grad():
            # Of v = w.T @ u only the direction counts; PyTorch's and ours normalise it too, for weights so small that its square would vanish.
            w = self.weight_orig.flatten(1)
            self.weight_u.copy_(F.normalize(w @ (w.T @ self.weight_u), dim=0))

    def forward(self, x):
        sigma = (self.weight_orig.flatten(1).T @ self.weight_u).norm()
        return F.conv2d(x, self.weight_orig / sigma, self.bias, self.shape[0].stride, self.shape[0].padding)


def spectral(layers):
    return [SpectralConv(layer) if isinstance(layer, nn.Conv2d) else layer for layer in layers
            if not isinstance(layer, nn.BatchNorm2d)]


class ConditionalDiscriminator(nn.Module):
    """The class's numbers as planes behind the first hidden layer's channels."""

    def __init__(self, code, norm):
        super().__init__()
        self.code = code
        layers, k = list(models.discriminator().main), 1 if code == "scalar" else CLASSES
        layers[3] = nn.Conv2d(64 + k, 128, 4, 2, 1, bias=False)
        self.first = 2 if norm == "spectral" else 3
        self.main = nn.Sequential(*(spectral(layers) if norm == "spectral" else layers))

    def forward(self, x, y):
        h = self.main[:self.first](x)
        planes = codes(y, self.code)[:, :, None, None].expand(-1, -1, *h.shape[2:])
        return self.main[self.first:](torch.cat([h, planes], 1)).flatten()


class DcClassifier(Chain):
    def __init__(self):
        layers = list(models.discriminator().main)
        super().__init__(layers[:-1] + [nn.Conv2d(256, CLASSES, 4, 1, 0, bias=False)])

    def features(self, x):
        return self.main[:-1](x)

    def head(self, h):
        return self.main[-1](h).flatten(1)


class ResNet(Classifier):
    def features(self, x):
        x = self.bn1(self.conv1(x)).relu()
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
        return F.adaptive_avg_pool2d(x, 1).flatten(1)

    def head(self, h):
        return self.linear(h)


class RealHead(nn.Module):
    def __init__(self, dc):
        super().__init__()
        self.real = nn.Conv2d(256, 1, 4, 1, 0, bias=False) if dc else nn.Linear(128, 1)

    def forward(self, h):
        return self.real(h).flatten()


def built(s):
    if s["method"].startswith("shared"):
        dc = s["method"] == "shared-dc"
        return {"generator": models.generator(), "discriminator": RealHead(dc), "classifier": DcClassifier() if dc else ResNet()}
    if s["method"] == "conditional":
        return {"generator": ConditionalGenerator(s["class_code"]),
                "discriminator": ConditionalDiscriminator(s["class_code"], s["norm_d"]), "classifier": ResNet()}
    d = models.discriminator()
    return {"generator": models.generator(), "discriminator": Chain(spectral(d.main)) if s["norm_d"] == "spectral" else d,
            "classifier": ResNet()}


def diff_augment(x, u, policy):
    """Image by image, as the paper's text has it; u is [n, 8]."""
    parts = {"none": (), "all": ("colour", "translation", "cutout")}.get(policy, policy.split("+"))
    out = []
    for image, (b, s, k, ty, tx, cy, cx, _) in zip(x, u.tolist()):
        size = image.shape[1]
        if "colour" in parts:
            image = image + (b - 0.5)
            grey = image.mean(0, keepdim=True)
            image = (image - grey) * (2 * s) + grey
            image = (image - image.mean()) * (k + 0.5) + image.mean()
        if "translation" in parts:
            most = size // 8
            dy, dx = (math.floor(v * (2 * most + 1)) - most for v in (ty, tx))
            padded = F.pad(image, (most,) * 4)
            image = padded[:, most + dy:most + dy + size, most + dx:most + dx + size]
        if "cutout" in parts:
            half = size // 2
            top, left = (math.floor(v * (size + 1)) - half // 2 for v in (cy, cx))
            mask = torch.ones_like(image)
            mask[:, max(top, 0):max(top + half, 0), max(left, 0):max(left + half, 0)] = 0.0
            image = image * mask
        out.append(image)
    return torch.stack(out)


class Trainer:
    def __init__(self, s, entries):
        self.s = s
        self.nets = {n: load(n, net, entries[n]) for n, net in built(s).items()}
        self.averages = {n: load(n, built(s)[n], entries[n]) for n, key in (("generator", "ema_g"), ("classifier", "ema_c"))
                         if s[key] > 0}
        self.adam = {n: torch.optim.Adam(self.nets[n].parameters(), weight_decay=WEIGHT_DECAY[n], **ADAM) for n in NETWORKS}
        self.class_average = torch.full([CLASSES], 1.0 / CLASSES, dtype=torch.float64)

    def thresholds(self, p):
        """A threshold a class, by the moving average of the classes' mean probabilities."""
        if self.s["class_threshold"] == "same":
            return torch.full([CLASSES], self.s["threshold"], dtype=torch.float64)
        self.class_average = CLASS_DECAY * self.class_average + (1 - CLASS_DECAY) * p.mean(0)
        return self.s["threshold"] * self.class_average / self.class_average.max()

    def update(self, loss, *networks):
        parameters = [p for n in networks for p in self.nets[n].parameters()]
        for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters, retain_graph=True)):
            p.grad = gradient
        for n in networks:
            self.adam[n].step()
            if n in self.averages:
                decay = self.s["ema_g" if n == "generator" else "ema_c"]
                for (name, a), (_, v) in zip(self.averages[n].state_dict().items(), self.nets[n].state_dict().items()):
                    a.copy_(v if name.endswith("tracked") else decay * a + (1 - decay) * v)

    def gan_loss(self, logits, side):
        if self.s["gan_loss"] == "hinge":
            return {"real": (1 - logits).relu(), "fake": (1 + logits).relu(), "generator": -logits}[side].mean()
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(side != "fake")))

    def step(self, x, y, z, u):
        return self.shared_step(x, y, z) if self.s["method"].startswith("shared") else self.ec_gan_step(x, y, z, u)

    def shared_step(self, x, y, z):
        g, head, c = (self.nets[n] for n in NETWORKS)
        images = g(z)
        real = c.features(x)
        c_real = F.cross_entropy(c.head(real), y)
        d_real = self.gan_loss(head(real), "real")
        with fake_statistics(c, self.s["fake_statistics"]):
            d_fake = self.gan_loss(head(c.features(images.detach())), "fake")
        self.update(c_real + LAMBDA * (d_real + d_fake), "classifier", "discriminator")
        with fake_statistics(c, self.s["fake_statistics"]):
            g_loss = self.gan_loss(head(c.features(images)), "generator")
        self.update(g_loss, "generator")
        return dict(loss_d_real=d_real.item(), loss_d_fake=d_fake.item(), loss_g=g_loss.item(), loss_c_real=c_real.item()), None

    def ec_gan_step(self, x, y, z, u):
        g, d, c = (self.nets[n] for n in NETWORKS)
        given = (y,) if self.s["method"] == "conditional" else ()
        seen = [lambda images, part=part: diff_augment(images, u[part * BATCH:(part + 1) * BATCH], self.s["diff_augment"])
                for part in range(3)]
        images = g(z, *given)
        for module in d.modules():
            if isinstance(module, SpectralConv):
                module.prepare()
        if self.s["fakes_from"] == "average":
            with torch.no_grad():
                for_c = self.averages["generator"].eval()(z, *given)
        else:
            for_c = images.detach()
        d_real = self.gan_loss(d(seen[0](x), *given), "real")
        d_fake = self.gan_loss(d(seen[1](images.detach()), *given), "fake")
        self.update(d_real + d_fake, "discriminator")
        g_loss = self.gan_loss(d(seen[2](images), *given), "generator")
        self.update(g_loss, "generator")
        c_real = F.cross_entropy(c(x), y, label_smoothing=self.s["label_smoothing"])
        with fake_statistics(c, self.s["fake_statistics"]):
            logits = c(for_c)
        p = logits.detach().softmax(1)
        top = p.topk(2, dim=1)
        label = y if self.s["fake_labels"] == "known" else top.indices[:, 0]
        confidence = p.gather(1, label[:, None])[:, 0]
        threshold = self.thresholds(p)[label]
        keep = (confidence > threshold).double()
        target = (logits.detach() / TEMPERATURE).softmax(1) if self.s["fake_labels"] == "soft" else label
        each = F.cross_entropy(logits, target, reduction="none")
        c_fake = (each * keep).sum() / (BATCH if self.s["fake_mean"] == "all" else keep.sum().clamp(min=1))
        self.update(c_real + LAMBDA * c_fake, "classifier")
        near = min((confidence - threshold).abs().min().item(), (top.values[:, 0] - top.values[:, 1]).min().item())
        losses = dict(loss_d_real=d_real.item(), loss_d_fake=d_fake.item(), loss_g=g_loss.item(), loss_c_real=c_real.item(),
                      loss_c_fake=c_fake.item())
        return losses, {"kept": int(keep.sum()), "near": near}


def numbers(net):
    running = [t for n, t in net.state_dict().items() if is_running(n) or n.endswith("weight_u")]
    found = {"parameters": digest(flatten(concatenated(net.parameters())))}
    return found | ({"running": digest(flatten(concatenated(running)))} if running else {})


def entries_of(s):
    found = {}
    for n, net in built(s).items():
        found[n] = state_specs(n, net)
        for e in found[n]:
            if e["name"] == LINEAR:
                e["scale"] = weight_scale(net.linear, s["linear_gain"])
    return found


def attempt(s, prefix):
    trainer, records = Trainer(s, entries_of(s)), []
    for k in range(1, COUNT + 1):
        y = labels(f"{prefix}iter{k}.y", BATCH, CLASSES)
        x = spec(f"{prefix}iter{k}.x", [BATCH, 3, 32, 32], 1.0)
        z = spec(f"{prefix}iter{k}.z", [BATCH, 100, 1, 1], 1.7320508075688772)
        u = spec(f"{prefix}iter{k}.u", [3 * BATCH, 8], 0.5, 0.5)
        losses, fake = trainer.step(fill(x), torch.tensor(y), fill(z), fill(u))
        if fake and not (0.2 <= fake["kept"] / BATCH <= 0.8 and fake["near"] > MARGIN):
            return None
        nets = {n: numbers(net) for n, net in trainer.nets.items()}
        averages = {n: numbers(net) for n, net in trainer.averages.items()}
        kept = {"kept": fake["kept"]} if fake else {}
        kept |= {"class_average": trainer.class_average.tolist()} if s["class_threshold"] == "balanced" else {}
        records.append({"x": x, "y": y, "z": z, "u": u, **losses, **kept, "networks": nets, "averages": averages})
    return records


def run(settings):
    s = OFF | settings
    # The first data by which part of the fakes is kept in each iteration, and no decision is close.
    records = next(r for r in (attempt(s, f"m{i}.") for i in range(1, 1000)) if r)
    described = {k: v for k, v in s.items() if k != "linear_gain"}
    return described | {"state": entries_of(s), "iterations": records}


def document():
    adam = {n: ADAM | {"weight_decay": WEIGHT_DECAY[n]} for n in NETWORKS}
    return {"adam": adam, "lambda": LAMBDA, "runs": [run(settings) for settings in RUNS]}
