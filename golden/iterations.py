"""Whole training iterations of EC-GAN in PyTorch: D, then G, then C, on one batch of fakes.

    L_D = BCE(D(x), 1) + BCE(D(G(z)), 0)      L_G = BCE(D(G(z)), 1)
    L_C = CE(C(x), y) + lambda * mean over kept of CE(C(G(z)), argmax C(G(z))),   kept: max softmax > t

(arXiv 2012.15864.) `paper` takes one Adam step on L_C, `notebook` one on each of its terms.
"""
import contextlib

import torch
from torch import nn
from torch.nn import functional as F

from formula import digest, fill, flatten, labels, spec, stored, uniform
from models import build, load, state_specs, weight_scale

NETWORKS = ("generator", "discriminator", "classifier")
LOSSES = ("loss_d_real", "loss_d_fake", "loss_g", "loss_c_real", "loss_c_fake")
LINEAR = "classifier.linear.weight"
ADAM = {"lr": 2e-4, "betas": (0.5, 0.999), "eps": 1e-8}
WEIGHT_DECAY = {"generator": 0.0, "discriminator": 1e-3, "classifier": 1e-3}
LAMBDA, BATCH, CLASSES, MARGIN = 0.1, 8, 10, 1e-3

# linear_gain sets the spread of the confidences, prefix picks the data: both are chosen so that check() passes.
RUNS = [
    {"run": "paper", "preset": "paper", "threshold": 0.7, "fake_statistics": "shared", "kept": "some",
     "prefix": "s13.", "linear_gain": 7.0, "count": 10},
    {"run": "notebook", "preset": "notebook", "threshold": 0.2, "fake_statistics": "shared", "kept": "some",
     "prefix": "s101.", "linear_gain": 1.2, "count": 10},
    {"run": "paper_nothing_kept", "preset": "paper", "threshold": 0.9999, "fake_statistics": "shared", "kept": "none",
     "prefix": "s1.", "linear_gain": 1.0, "count": 3},
    {"run": "notebook_nothing_kept", "preset": "notebook", "threshold": 0.9999, "fake_statistics": "shared",
     "kept": "none", "prefix": "s1.", "linear_gain": 1.0, "count": 3},
    {"run": "paper_frozen", "preset": "paper", "threshold": 0.7, "fake_statistics": "frozen", "kept": "some",
     "prefix": "s13.", "linear_gain": 7.0, "count": 3},
    {"run": "paper_running", "preset": "paper", "threshold": 0.2, "fake_statistics": "running", "kept": "all",
     "prefix": "s13.", "linear_gain": 0.25, "count": 3},
]
FULL_FINAL = 16  # six runs of 130 tensors each: the larger ones as digests
F32_RUNS, F32_NUDGE, F64_RUNS, F64_NUDGE, F64_LIMIT = 6, 1e-7, 2, 1e-15, 1e-10


@contextlib.contextmanager
def fake_statistics(net, mode):
    """How batch norm treats the fakes inside: shared (as training), frozen (own statistics, not kept), running."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.training = mode != "running"
        norm.track_running_stats = mode != "frozen"
    yield
    for norm in norms:
        norm.training = norm.track_running_stats = True


class Trainer:
    def __init__(self, entries, dtype, preset, threshold, statistics, nudge=None):
        self.nets = {n: load(n, build(n), entries[n], dtype) for n in NETWORKS}
        if nudge:
            self.nudge(*nudge)
        self.adam = {n: torch.optim.Adam(self.nets[n].parameters(), weight_decay=WEIGHT_DECAY[n], **ADAM) for n in NETWORKS}
        self.dtype, self.preset, self.threshold, self.statistics = dtype, preset, threshold, statistics

    def nudge(self, seed, size):
        """Moves every parameter by up to `size` of itself, as another order of summation moves a result."""
        for network, net in self.nets.items():
            for name, p in net.named_parameters():
                u = torch.from_numpy(uniform(f"nudge{seed}.{network}.{name}", p.numel())).reshape(p.shape)
                p.data = (p.data.double() * (1.0 + size * u)).to(p.dtype)

    def update(self, network, loss):
        parameters = list(self.nets[network].parameters())
        for p, gradient in zip(parameters, torch.autograd.grad(loss, parameters, retain_graph=True)):
            p.grad = gradient
        self.adam[network].step()

    def classify_fakes(self, fakes):
        with fake_statistics(self.nets["classifier"], self.statistics):
            logits = self.nets["classifier"](fakes)
        probabilities = logits.detach().softmax(1)
        top = probabilities.topk(2, dim=1)
        confidence, pseudo = top.values[:, 0], top.indices[:, 0]
        keep = (confidence > self.threshold).to(self.dtype)
        each = F.cross_entropy(logits, pseudo, reduction="none")
        loss = (each * keep).sum() / keep.sum().clamp(min=1)
        gap = (top.values[:, 0] - top.values[:, 1]).min().item()
        return loss, {"kept": int(keep.sum()), "keep": [int(k) for k in keep], "pseudo_label": pseudo.tolist(),
                      "confidence": confidence.tolist()}, gap

    def step(self, x, y, z):
        """One iteration; returns the five losses, what was kept, and the smallest top-2 gap of a fake."""
        g, d, c = (self.nets[n] for n in NETWORKS)
        bce = F.binary_cross_entropy_with_logits
        one, zero = x.new_ones(len(x)), x.new_zeros(len(x))
        images = g(z)
        fakes = images.detach()
        d_real, d_fake = bce(d(x), one), bce(d(fakes), zero)
        self.update("discriminator", d_real + d_fake)
        g_loss = bce(d(images), one)
        self.update("generator", g_loss)
        c_real = F.cross_entropy(c(x), y)
        if self.preset == "notebook":
            self.update("classifier", c_real)
        c_fake, kept, gap = self.classify_fakes(fakes)
        if self.preset == "paper":
            self.update("classifier", c_real + LAMBDA * c_fake)
        elif kept["kept"] > 0:
            self.update("classifier", LAMBDA * c_fake)
        values = [loss.item() for loss in (d_real, d_fake, g_loss, c_real, c_fake)]
        return dict(zip(LOSSES, values)), kept, gap


def is_running(name):
    return name.endswith(("running_mean", "running_var"))


def concatenated(tensors):
    return torch.cat([t.detach().double().reshape(-1) for t in tensors])


def network_digests(trainer):
    """Per network: its parameters and its running statistics as one vector each, in the order of the state dict."""
    found = {}
    for name, net in trainer.nets.items():
        tracked = {int(t) for n, t in net.state_dict().items() if n.endswith("num_batches_tracked")}
        assert len(tracked) == 1
        running = [t for n, t in net.state_dict().items() if is_running(n)]
        found[name] = {"parameters": digest(flatten(concatenated(net.parameters()))),
                       "running": digest(flatten(concatenated(running))), "num_batches_tracked": tracked.pop()}
    return found


def final_state(trainer):
    """Every tensor of every state dict, and per network Adam's step count and moments as one vector each."""
    tensors = {f"{name}.{n}": stored(t, FULL_FINAL) for name, net in trainer.nets.items() for n, t in net.state_dict().items()
               if not n.endswith("num_batches_tracked")}
    adam = {}
    for name, net in trainer.nets.items():
        states = [trainer.adam[name].state[p] for p in net.parameters()]
        adam[name] = {"step": int(states[0]["step"]),
                      "exp_avg": digest(flatten(concatenated(s["exp_avg"] for s in states))),
                      "exp_avg_sq": digest(flatten(concatenated(s["exp_avg_sq"] for s in states)))}
    return {"adam": adam, "tensors": tensors}


def batch(prefix, k):
    """Formula entries of iteration k's reals and noise, and its labels."""
    y = labels(f"{prefix}iter{k}.y", BATCH, CLASSES)
    x = spec(f"{prefix}iter{k}.x", [BATCH, 3, 32, 32], 1.0)
    return {"x": x, "z": spec(f"{prefix}iter{k}.z", [BATCH, 100, 1, 1], 1.7320508075688772), "y": y}


def state_entries(settings):
    entries = {n: state_specs(n, build(n)) for n in NETWORKS}
    (linear,) = (e for e in entries["classifier"] if e["name"] == LINEAR)
    linear["scale"] = weight_scale(build("classifier").linear, settings["linear_gain"])
    return entries, linear["scale"]


def run_once(settings, dtype, nudge=None):
    """All iterations of a run; returns the trainer as it ended and a record an iteration."""
    entries, _ = state_entries(settings)
    trainer = Trainer(entries, dtype, settings["preset"], settings["threshold"], settings["fake_statistics"], nudge)
    records = []
    for k in range(1, settings["count"] + 1):
        data = batch(settings["prefix"], k)
        losses, kept, gap = trainer.step(fill(data["x"], dtype), torch.tensor(data["y"]), fill(data["z"], dtype))
        records.append({"iteration": k, **data, **losses, **kept, "networks": network_digests(trainer), "gap": gap})
    return trainer, records


def check(settings, records):
    """What makes a run a fair golden: part of the fakes kept (or what the run is about), and no decision close."""
    low, high = {"some": (0.2, 0.8), "none": (0.0, 0.0), "all": (1.0, 1.0)}[settings["kept"]]
    for r in records:
        where = f"{settings['run']}, iteration {r['iteration']}"
        nearest = min(abs(c - settings["threshold"]) for c in r["confidence"])
        assert low <= r["kept"] / BATCH <= high, f"{where}: {r['kept']} of {BATCH} kept"
        assert nearest > MARGIN, f"{where}: a confidence lies {nearest} from the threshold"
        assert r["gap"] > MARGIN, f"{where}: the two largest probabilities of a row differ by {r['gap']}"
        assert r["kept"] > 0 or r["loss_c_fake"] == 0.0


def relative(value, reference):
    return abs(value - reference) / abs(reference) if reference else abs(value)


def difference(other, reference):
    """Losses: relative. Digests: the largest deviation of its four numbers, over the reference's l2."""
    changed = sum(a != b or c != d for a, b, c, d in zip(other["keep"], reference["keep"], other["pseudo_label"],
                                                         reference["pseudo_label"]))
    found = {loss: relative(other[loss], reference[loss]) for loss in LOSSES} | {"rows_changed": changed}
    found["confidence"] = max(abs(a - b) for a, b in zip(other["confidence"], reference["confidence"]))
    for network in NETWORKS:
        for part in ("parameters", "running"):
            a, b = other["networks"][network][part], reference["networks"][network][part]
            found[f"{network}.{part}"] = max(abs(v - w) for v, w in zip(a, b)) / b[0]
    return found


def drift(settings, records, dtype, runs, nudge):
    """Per iteration the largest difference of several runs in `dtype`: one plain, the others from nudged parameters."""
    worst = [{} for _ in records]
    for seed in range(runs):
        _, others = run_once(settings, dtype, (seed, nudge) if seed else None)
        for kept, other, reference in zip(worst, others, records):
            for name, value in difference(other, reference).items():
                kept[name] = max(kept.get(name, 0), value)
    return [{"iteration": k + 1, **w} for k, w in enumerate(worst)]


def run(settings):
    trainer, records = run_once(settings, torch.float64)
    check(settings, records)
    _, scale = state_entries(settings)
    f32 = drift(settings, records, torch.float32, F32_RUNS, F32_NUDGE)
    f64 = drift(settings, records, torch.float64, F64_RUNS, F64_NUDGE)
    largest = max(value for record in f64 for name, value in record.items() if name != "iteration")
    assert largest < F64_LIMIT, f"{settings['run']}: rounding grows to {largest}, too much for a golden"
    for r in records:
        del r["gap"]
    described = {n: settings[n] for n in ("run", "preset", "threshold", "fake_statistics")}
    return described | {"lambda": LAMBDA, "scale_overrides": {LINEAR: scale}, "iterations": records,
                        "final": final_state(trainer), "f64_drift": largest, "f32_drift": f32}


def document():
    entries, _ = state_entries({"linear_gain": 1.0})
    adam = {n: ADAM | {"weight_decay": WEIGHT_DECAY[n]} for n in NETWORKS}
    return {"adam": adam, "state": entries, "runs": [run(settings) for settings in RUNS]}
