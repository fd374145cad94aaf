"""Whole networks, forward and backward: outputs, the gradient of sum(output * r) for every parameter and for the input,
running statistics after that one training pass, and the output in evaluation mode with those statistics."""
import torch

from formula import fill, spec, stored
from iterations import is_running
from models import build, load, state_specs

BATCH = 4
WHOLE = [("generator", {}), ("discriminator", {}), ("classifier", {"width": 16, "classes": 10})]
OUTPUTS_ONLY = [
    ("generator", 64, {}), ("generator", 32, {"channels": 1}), ("generator", 64, {"channels": 1}),
    ("discriminator", 64, {}), ("discriminator", 32, {"channels": 1}), ("discriminator", 64, {"channels": 1}),
    ("classifier", 64, {"width": 16, "classes": 10}), ("classifier", 32, {"width": 16, "classes": 10, "channels": 1}),
    ("classifier", 64, {"width": 16, "classes": 2, "channels": 1}), ("classifier", 32, {"width": 64, "classes": 10}),
]


def entry(network, image_size, settings, gradients):
    """One network's golden; the classifier takes any image size, the other two are built for theirs."""
    channels = settings.get("channels", 3)
    sized = settings if network == "classifier" else settings | {"image_size": image_size}
    net = build(network, **sized)
    label = "_".join([network, str(image_size), f"{channels}ch"] + [f"{k}{v}" for k, v in settings.items() if k != "channels"])
    specs = state_specs(network, net, running=(0.1, 0.5))
    load(network, net, specs)
    shape = [BATCH, 100, 1, 1] if network == "generator" else [BATCH, channels, image_size, image_size]
    x_spec = spec(f"{network}.x", shape, 1.0)
    x = fill(x_spec).requires_grad_(gradients)
    y = net(x)
    result = {"golden": label, "network": network, "image_size": image_size, "channels": channels,
              "settings": {k: v for k, v in settings.items() if k != "channels"},
              "parameter_count": sum(p.numel() for p in net.parameters()), "state": specs, "x": x_spec,
              "train": {"y": stored(y)}}
    if gradients:
        result["r"] = spec(f"{network}.r", y.shape, 1.0)
        names = [f"{network}.{n}" for n, _ in net.named_parameters()]
        found = torch.autograd.grad(y, [x, *net.parameters()], fill(result["r"]))
        result["train"]["dx"] = stored(found[0])
        result["train"]["gradients"] = {n: stored(g) for n, g in zip(names, found[1:])}
        result["train"]["running"] = {f"{network}.{n}": stored(t) for n, t in net.state_dict().items() if is_running(n)}
    net.eval()
    with torch.no_grad():
        result["eval"] = {"y": stored(net(x))}
    return result


def document():
    whole = [entry(network, 32, settings, True) for network, settings in WHOLE]
    return {"networks": whole + [entry(network, size, settings, False) for network, size, settings in OUTPUTS_ONLY]}
