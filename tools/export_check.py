"""What other programs compute with exported networks, compared with the engine; tools/export-check calls it.

    python tools/export_check.py onnx|torch RUNS      RUNS: a folder of runs, each with its exported networks
"""
import json
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # golden/ stays as it is

import numpy as np
from safetensors import safe_open

ROOT = Path(__file__).resolve().parent.parent
BINARIES = ROOT / "target/debug"
NETWORKS = ["classifier", "generator", "discriminator"]
TOLERANCE = 1e-4
IMAGES = 20


def described(run):
    """What an exported file says about its network: width, image_size, channels, classes."""
    with safe_open(run / "classifier.safetensors", "numpy") as file:
        return json.loads(file.metadata()["ecgan"])


def inputs(run, network, n, seed):
    """Noise, or images in [-1, 1] whose values are those of 8-bit pixels."""
    random = np.random.default_rng(seed)
    about = described(run)
    if network == "generator":
        return random.standard_normal((n, 100), dtype=np.float32)
    if network == "discriminator" and about.get("shared"):
        features = (n, 8 * about["image_size"], 4, 4) if about.get("architecture") == "dcgan" else (n, 8 * about["width"])
        return random.standard_normal(features, dtype=np.float32)
    pixels = random.integers(0, 256, (n, about["channels"], about["image_size"], about["image_size"]))
    return (pixels / 127.5 - 1).astype(np.float32)


def output(command, given=None):
    """What a program prints for what it is given; its messages only where it fails."""
    done = subprocess.run(command, input=given, capture_output=True)
    assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
    return done.stdout


def engine(checkpoint, network, x, shape):
    """The engine's own output for x, of this shape."""
    command = [BINARIES / "examples/forward", checkpoint, network]
    return np.frombuffer(output(command, x.astype("<f4").tobytes()), "<f4").reshape(shape)


def difference(what, theirs, ours):
    """The largest absolute difference, which must be within the tolerance."""
    assert theirs.shape == ours.shape, f"{what}: shape {theirs.shape}, expected {ours.shape}"
    worst = float(np.abs(theirs.astype(np.float64) - ours).max())
    assert worst <= TOLERANCE, f"{what}: differs by {worst:.2e}, expected at most {TOLERANCE:.0e}"
    return worst


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def predicted(checkpoint, folder, classes, *flags):
    """What `ecgan predict` says of the PNG files in a folder, in order: log-probabilities `[n, classes]`."""
    command = [BINARIES / "ecgan", "predict", "--checkpoint", checkpoint, "--json", "-k", str(len(classes)), *flags, folder]
    report = json.loads(output(command))
    rows = [{c["class"]: c["confidence"] for c in p["top"]} for p in sorted(report["predictions"], key=lambda p: p["path"])]
    return np.log(np.array([[row[name] for name in classes] for row in rows]))


def evaluated(state):
    """What evaluation takes of a state dict, layouts included: without counts, and spectral norm's weights divided."""
    state = {name: t for name, t in state.items() if "tracked" not in name}
    for name in [name for name in state if name.endswith(".weight_orig")]:
        weight, u, v = (state.pop(name.replace("_orig", end)).astype(np.float64) for end in ("_orig", "_u", "_v"))
        sigma = np.linalg.norm(u @ weight.reshape(len(u), -1))
        difference(f"{name}: sigma by weight_v", sigma, u @ weight.reshape(len(u), -1) @ v)
        state[name.removesuffix("_orig")] = (weight / sigma).astype(np.float32)
    return state


def check_onnx(run):
    import onnx
    import onnxruntime
    from PIL import Image
    from safetensors.numpy import load_file

    for network in NETWORKS:
        path, about = run / f"{network}.onnx", described(run)
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        stated = {entry.key: entry.value for entry in model.metadata_props}
        assert model.producer_name == "ecgan" and json.loads(stated["classes"]) == about["classes"], stated
        state = evaluated(load_file(run / f"{network}.safetensors"))
        weights = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == 1}
        assert weights.keys() == state.keys(), weights.keys() ^ state.keys()
        assert all(np.allclose(weights[name], state[name], rtol=1e-6, atol=0) for name in state), f"{path}: other numbers"
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        worst = 0.0
        for n in (1, 5, IMAGES):
            x = inputs(run, network, n, seed=n)
            # A conditional network is given the classes in turn.
            given = {session.get_inputs()[0].name: x, "class": np.arange(n) % len(about["classes"])}
            given = {i.name: given[i.name] for i in session.get_inputs()}
            assert ("class" in given) == ("condition" in about and network != "classifier"), given.keys()
            outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, given)))
            main = outputs["images" if network == "generator" else "logits"]
            for checkpoint in (run / "checkpoints/last.safetensors", run / f"{network}.safetensors"):
                ours = engine(checkpoint, network, x, main.shape)
                worst = max(worst, difference(f"{path} of {n}", main, ours))
            if network == "classifier":
                difference(f"{path} of {n}: probabilities", outputs["probabilities"], np.exp(log_softmax(main)))
                folder = run / f"png-{n}"
                write_images(folder, x, Image)
                ours = predicted(run / "checkpoints/last.safetensors", folder, about["classes"])
                difference(f"{path} of {n}: ecgan predict", log_softmax(main), ours)
        scale = float(np.abs(main).max())
        print(f"export-check: {run.name} {network}.onnx: ONNX Runtime within {worst:.1e} of the engine (values to {scale:.2f})")


def write_images(folder, x, image):
    """PNG files of images in [-1, 1], and a data set in which image i is of class i modulo 10."""
    for i, pixels in enumerate(np.rint((x + 1) * 127.5).astype(np.uint8)):
        picture = image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        for to in (folder, folder.with_name("data") / "train" / str(i % 10), folder.with_name("data") / "test" / str(i % 10)):
            to.mkdir(parents=True, exist_ok=True)
            picture.save(to / f"{i:02}.png")


def module(run, network):
    """The network in PyTorch, of a run's shape."""
    from models import build

    about = described(run)
    shape = dict(channels=about["channels"])
    if network == "discriminator" and "norm_d" in about:
        return spectral_discriminator(about["image_size"], **shape)
    if network == "classifier":
        return build(network, width=about["width"], classes=len(about["classes"]), **shape)
    return build(network, image_size=about["image_size"], **shape)


def spectral_discriminator(image_size, channels):
    """With PyTorch's own spectral norm."""
    from torch import nn

    layers, features = [], 64
    for _ in range(int(np.log2(image_size // 4))):
        layers += [nn.utils.spectral_norm(nn.Conv2d(channels, features, 4, 2, 1)), nn.LeakyReLU(0.2)]
        channels, features = features, 2 * features
    head = nn.utils.spectral_norm(nn.Conv2d(channels, 1, 4, 1, 0))

    class Discriminator(nn.Module):
        def __init__(self):
            super().__init__()
            self.main = nn.Sequential(*layers, head)

        def forward(self, x):
            return self.main(x).flatten()

    return Discriminator()


def check_torch(run):
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    for network in NETWORKS:
        net = module(run, network)
        net.load_state_dict(load_file(run / f"{network}.safetensors"), strict=True)
        worst = 0.0
        for n in (1, 5):
            x = inputs(run, network, n, seed=n)
            z = torch.from_numpy(x if network != "generator" else x[:, :, None, None])
            with torch.no_grad():
                theirs = net.eval()(z).numpy()
            ours = engine(run / "checkpoints/last.safetensors", network, x, theirs.shape)
            worst = max(worst, difference(f"{run.name} {network} of {n} in PyTorch", theirs, ours))
        print(f"export-check: {run.name} {network}.safetensors: PyTorch within {worst:.1e} of the engine")

    # The other way round: PyTorch's own initial weights, running statistics of its own passes. The images are those that
    # the check of the ONNX files left.
    net, theirs = module(run, "classifier"), run / "theirs.safetensors"
    with torch.no_grad():
        for seed in range(30):
            net.train()(torch.from_numpy(inputs(run, "classifier", 16, seed)))
    save_file(net.state_dict(), theirs)
    with torch.no_grad():
        x = inputs(run, "classifier", IMAGES, seed=IMAGES)
        logits = net.eval()(torch.from_numpy(x)).numpy()
    size = ["--image-size", str(described(run)["image_size"])]
    ours = predicted(theirs, run / f"png-{IMAGES}", [str(k) for k in range(logits.shape[1])], *size)
    worst = difference(f"{run.name}: PyTorch's weights in ecgan predict", log_softmax(logits), ours)
    command = [BINARIES / "ecgan", "eval", "--checkpoint", theirs, "--data", run / "data", "--json", *size]
    report = json.loads(output(command))
    labels = np.arange(IMAGES) % logits.shape[1]
    likelihood = -log_softmax(logits)[np.arange(IMAGES), labels].mean()
    worst = max(worst, difference(f"{run.name}: ecgan eval", likelihood, np.float64(report["negative_log_likelihood"])))
    correct = int((logits.argmax(axis=1) == labels).sum())
    assert report["correct"] == correct, f"{run.name}: ecgan eval: {report['correct']} correct, expected {correct}"
    print(f"export-check: {run.name}: ecgan predict and eval within {worst:.1e} of PyTorch on weights of PyTorch's own")


def main():
    what, runs = sys.argv[1], sorted(Path(sys.argv[2]).iterdir())
    if what == "torch":
        # golden/models.py has the three networks of EC-GAN; of the other methods golden/methods.py compares every number.
        runs = [run for run in runs if run.name.startswith("ec-gan-")]
    sys.path.insert(0, str(ROOT / "golden"))
    try:
        for run in runs:
            {"onnx": check_onnx, "torch": check_torch}[what](run)
    except AssertionError as error:
        sys.exit(f"export-check: {error}")


if __name__ == "__main__":
    main()
