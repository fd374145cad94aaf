"""One small golden per layer: outputs and gradients in f64, every tensor whole.

A case's gradients are those of sum(y * dy), dy by the formula; a loss is differentiated as it is.
"""
import torch
from torch.nn import functional as F

from formula import fill, labels, spec, stored

EPS, MOMENTUM = 1e-5, 0.1


def case(op, name, attributes, inputs, outputs, numbers=None):
    whole = {n: stored(t, full=t.numel()) for n, t in outputs.items()}
    return {"op": op, "name": name, "attributes": attributes, "inputs": inputs, "outputs": whole, "numbers": numbers or {}}


def specs(name, tensors):
    """{input: (shape, scale, offset)} to formula entries named <case>.<input>."""
    return {n: spec(f"{name}.{n}", t[0], *t[1:]) for n, t in tensors.items()}


def tensors(inputs, differentiable):
    filled = {n: fill(e) for n, e in inputs.items()}
    for n in differentiable:
        filled[n].requires_grad_()
    return filled


def mapped(op, name, attributes, shapes, forward):
    """A case of y = forward(*inputs) with d<input> for every input; y's shape gives dy's."""
    inputs = specs(name, shapes)
    given = tensors(inputs, list(inputs))
    y = forward(*given.values())
    inputs["dy"] = spec(f"{name}.dy", y.shape, 1.0)
    gradients = torch.autograd.grad(y, list(given.values()), fill(inputs["dy"]))
    return case(op, name, attributes, inputs, {"y": y} | {f"d{n}": g for n, g in zip(given, gradients)})


def convolutions():
    forward = [  # name, x, w (OIHW), stride, padding
        ("conv2d_3x3_s1_p1", [2, 3, 5, 4], [4, 3, 3, 3], (1, 1), (1, 1)),
        ("conv2d_3x3_s2_p1", [2, 3, 5, 6], [4, 3, 3, 3], (2, 2), (1, 1)),
        ("conv2d_4x4_s2_p1", [2, 3, 6, 8], [4, 3, 4, 4], (2, 2), (1, 1)),
        ("conv2d_1x1_s2_p0", [2, 3, 6, 5], [4, 3, 1, 1], (2, 2), (0, 0)),
        ("conv2d_4x4_s1_p0", [3, 5, 4, 4], [1, 5, 4, 4], (1, 1), (0, 0)),
        ("conv2d_5x3_s2x1_p2x1", [2, 2, 7, 5], [3, 2, 5, 3], (2, 1), (2, 1)),
    ]
    transposed = [  # name, x, w (IOHW), stride, padding, output padding
        ("conv_transpose2d_4x4_s1_p0", [3, 5, 1, 1], [5, 4, 4, 4], 1, 0, 0),
        ("conv_transpose2d_4x4_s2_p1", [2, 3, 3, 4], [3, 4, 4, 4], 2, 1, 0),
        ("conv_transpose2d_3x3_s2_p1_op1", [2, 3, 3, 2], [3, 4, 3, 3], 2, 1, 1),
    ]
    for name, x, w, stride, padding in forward:
        attributes = {"stride": stride, "padding": padding}
        yield mapped("conv2d", name, attributes, {"x": (x, 1.0), "w": (w, 0.5)},
                     lambda x, w, s=stride, p=padding: F.conv2d(x, w, None, s, p))
    for name, x, w, stride, padding, extra in transposed:
        attributes = {"stride": [stride] * 2, "padding": [padding] * 2, "output_padding": [extra] * 2}
        yield mapped("conv_transpose2d", name, attributes, {"x": (x, 1.0), "w": (w, 0.5)},
                     lambda x, w, s=stride, p=padding, o=extra: F.conv_transpose2d(x, w, None, s, p, o))


def batch_norm(op, name, activation, training=True, residual=False, offset=0.5):
    """Two updates: x_first only moves the running statistics; y and the gradients belong to x."""
    shape, c = [3, 4, 2, 3], [4]
    inputs = specs(name, {"x": (shape, 1.0, offset), "gamma": (c, 0.5, 1.0), "beta": (c, 0.5), "dy": (shape, 1.0),
                          "x_first": (shape, 2.0, -0.25), "running_mean": (c, 0.5), "running_var": (c, 0.5, 1.0)})
    wanted = ["x", "gamma", "beta"]
    if residual:
        inputs["residual"] = spec(f"{name}.residual", shape, 1.0)
        wanted.append("residual")
    given = tensors(inputs, wanted)
    mean, var = given["running_mean"], given["running_var"]
    if training:
        F.batch_norm(given["x_first"], mean, var, None, None, True, MOMENTUM, EPS)
    y = F.batch_norm(given["x"], mean, var, given["gamma"], given["beta"], training, MOMENTUM, EPS)
    y = activation(y + given["residual"] if residual else y)
    gradients = torch.autograd.grad(y, [given[n] for n in wanted], given["dy"])
    outputs = {"y": y} | {f"d{n}": g for n, g in zip(wanted, gradients)}
    if training:
        outputs |= {"running_mean": mean, "running_var": var}
    else:
        del inputs["x_first"]
    return case(op, name, {"eps": EPS, "momentum": MOMENTUM, "training": training}, inputs, outputs)


def batch_norms():
    leaky = lambda y: F.leaky_relu(y, 0.2)
    yield batch_norm("batch_norm", "batch_norm_train", lambda y: y)
    yield batch_norm("batch_norm", "batch_norm_train_far_from_zero", lambda y: y, offset=50.0)
    yield batch_norm("batch_norm", "batch_norm_eval", lambda y: y, training=False)
    yield batch_norm("batch_norm_relu", "batch_norm_relu_train", torch.relu)
    yield batch_norm("batch_norm_relu", "batch_norm_relu_eval", torch.relu, training=False)
    yield batch_norm("batch_norm_leaky_relu", "batch_norm_leaky_relu_train", leaky)
    yield batch_norm("batch_norm_add_relu", "batch_norm_add_relu_train", torch.relu, residual=True)
    yield batch_norm("batch_norm_add_relu", "batch_norm_add_relu_eval", torch.relu, training=False, residual=True)


def plain():
    x = {"x": ([3, 7], 4.0)}
    yield mapped("relu", "relu", {}, x, torch.relu)
    yield mapped("leaky_relu", "leaky_relu", {"slope": 0.2}, x, lambda x: F.leaky_relu(x, 0.2))
    yield mapped("tanh", "tanh", {}, x, torch.tanh)
    yield mapped("sigmoid", "sigmoid", {}, x, torch.sigmoid)
    yield mapped("avg_pool2d", "avg_pool2d_4", {"kernel": [4, 4]}, {"x": ([2, 3, 4, 8], 1.0)}, lambda x: F.avg_pool2d(x, 4))
    yield mapped("avg_pool2d", "avg_pool2d_whole", {"kernel": [3, 5]}, {"x": ([2, 3, 3, 5], 1.0)},
                 lambda x: F.avg_pool2d(x, (3, 5)))
    yield mapped("linear", "linear", {}, {"x": ([4, 5], 1.0), "w": ([3, 5], 1.0), "b": ([3], 1.0)}, F.linear)
    yield mapped("softmax", "softmax", {}, {"logits": ([4, 5], 3.0)}, lambda logits: logits.softmax(1))
    yield mapped("softmax", "softmax_large", {}, {"logits": ([4, 5], 800.0)}, lambda logits: logits.softmax(1))


def cross_entropy(name, keep, scale=3.0, divisor="kept"):
    """loss = sum of keep * CE over the number kept (at least 1), or over all rows; dlogits of that loss."""
    rows, classes = len(keep), 5
    inputs = specs(name, {"logits": ([rows, classes], scale)})
    logits = fill(inputs["logits"]).requires_grad_()
    y = labels(f"{name}.y", rows, classes)
    weights = torch.tensor(keep, dtype=torch.float64)
    each = F.cross_entropy(logits, torch.tensor(y), reduction="none")
    loss = (each * weights).sum() / (rows if divisor == "all" else weights.sum().clamp(min=1))
    (dlogits,) = torch.autograd.grad(loss, logits)
    attributes = {"labels": y, "weights": keep, "divisor": divisor}
    return case("cross_entropy", name, attributes, inputs, {"dlogits": dlogits, "each": each}, {"loss": loss.item()})


def bce(name, target, scale):
    inputs = specs(name, {"logits": ([9], scale)})
    logits = fill(inputs["logits"]).requires_grad_()
    loss = F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))
    (dlogits,) = torch.autograd.grad(loss, logits)
    return case("bce_with_logits", name, {"target": target}, inputs, {"dlogits": dlogits}, {"loss": loss.item()})


def losses():
    some = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]
    yield cross_entropy("cross_entropy_all_rows", [1.0] * 7)
    yield cross_entropy("cross_entropy_kept", some)
    yield cross_entropy("cross_entropy_kept_over_all", some, divisor="all")
    yield cross_entropy("cross_entropy_none_kept", [0.0] * 7)
    yield cross_entropy("cross_entropy_large", some, scale=500.0)
    for target in (0.0, 1.0):
        yield bce(f"bce_with_logits_{int(target)}", target, 4.0)
        yield bce(f"bce_with_logits_{int(target)}_large", target, 200.0)


def optimizer(op, name, attributes, make, state_names):
    """Five steps on 13 parameters, the gradients by the formula; parameters after every step, state after the last."""
    inputs = specs(name, {"p": ([13], 1.0)} | {f"g{k}": ([13], 10.0 ** (1 - k)) for k in range(1, 6)})
    p = fill(inputs["p"]).requires_grad_()
    steps, outputs = make([p]), {}
    for k in range(1, 6):
        p.grad = fill(inputs[f"g{k}"])
        steps.step()
        outputs[f"p{k}"] = p.detach().clone()
    outputs |= {n: steps.state[p][n] for n in state_names}
    return case(op, name, attributes, inputs, outputs)


def optimizers():
    for name, decay in (("adam", 0.0), ("adam_weight_decay", 1e-1)):
        settings = {"lr": 1e-2, "betas": (0.5, 0.999), "eps": 1e-8, "weight_decay": decay}
        yield optimizer("adam", name, settings, lambda p, s=settings: torch.optim.Adam(p, **s), ["exp_avg", "exp_avg_sq"])
    settings = {"lr": 1e-1, "momentum": 0.9, "weight_decay": 1e-2}
    yield optimizer("sgd", "sgd_momentum", settings, lambda p: torch.optim.SGD(p, **settings), ["momentum_buffer"])


def document():
    groups = (convolutions(), batch_norms(), plain(), losses(), optimizers())
    return {"cases": [c for group in groups for c in group]}
