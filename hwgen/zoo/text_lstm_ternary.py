"""text-lstm-ternary: tells the next character of War and Peace with an LSTM of 128 ternary units.

Trained like its contrasts: the same network with binary weights, with ternary weights and no
gains to normalize them, and PyTorch's own LSTM in floating point, all under one budget. Training needs
the text (see ``data.py``) and about six minutes on one core for each, or a GPU, which is used if
there is one. 50 % or more of the held-out characters.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .. import nn as q
from . import data

__all__ = ["PROMISE", "build_model", "train"]

PROMISE = 0.50
SEED = 1
UNITS = 128
LENGTH = 64  # steps of a training sequence
BATCH = 64
RATE = 1e-2
PLACES = 10_000


class FloatLSTM(nn.Module):
    """PyTorch's LSTM and a classifier of all states: what the others are compared with."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(data.SYMBOLS, UNITS, batch_first=True)
        self.classes = nn.Linear(UNITS, data.SYMBOLS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classes(self.lstm(x)[0])


def build_model(code: str = "ternary") -> nn.Module:
    """The untrained model; takes (batch, 64, 83), characters one-hot."""
    return nn.Sequential(
        OrderedDict(
            characters=q.InputQuantizer(
                1, scale=1.0, signed=False, shape=(data.CONTEXT, data.SYMBOLS)
            ),
            lstm=q.LSTM(data.SYMBOLS, UNITS, code=code),
            classes=q.Linear(UNITS, data.SYMBOLS),
        )
    )


def train(progress=None, say=None, steps: int = 3000) -> nn.Module:
    """Train on the first eight tenths of the text.

    Parameters
    ----------
    progress
        Called with (steps done, steps, a few words).
    say
        Called with lines about the result, bits per character of all variants; without it only the
        ternary network is trained.
    steps
        Batches of 64 sequences of 64 characters.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.random.fork_rng(devices=[]):
        model = _fit(build_model(), steps, device, progress)
        if say is not None:
            variants = {
                "ternary": model,
                "binary": _fit(build_model("binary"), steps, device, progress),
                "ternary, not normalized": _fit(_without_gains(), steps, device, progress),
            }
            for name, variant in variants.items():
                say(f"{name}: {bits_a_character(variant.eval()):.3f} bits a character, deployed")
            plain = _fit(FloatLSTM(), steps, device, progress).eval()
            say(f"floating point: {bits_a_character(plain):.3f} bits a character")
    model.lstm.settle()
    return model


def _without_gains() -> nn.Module:
    """Ternary weights times a constant, as the usual initialization would have them."""
    model = build_model()
    with torch.no_grad():
        for gain, size in ((model.lstm.gain_input, data.SYMBOLS), (model.lstm.gain_hidden, UNITS)):
            gain.mul_(0.5 * math.sqrt(6 / (size + 4 * UNITS)) * math.sqrt(size))
            gain.requires_grad_(False)
    return model


def _fit(model: nn.Module, steps: int, device: str, progress) -> nn.Module:
    """Adam, a one-cycle schedule, cross entropy of the next character at every step."""
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    text = torch.as_tensor(data.text("train").astype(np.int64))
    model.to(device).train()
    if isinstance(model, nn.Sequential):
        model.lstm.every_step = True
        model.characters.shape = (LENGTH, data.SYMBOLS)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rate = RATE if isinstance(model, nn.Sequential) else RATE / 2
    optimizer = torch.optim.Adam(trained, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.1
    )
    for step in range(steps):
        starts = torch.randint(len(text) - LENGTH, (BATCH, 1), generator=generator)
        window = text[starts + torch.arange(LENGTH + 1)].to(device)
        logits = _every_step(model, F.one_hot(window[:, :-1], data.SYMBOLS).float())
        loss = F.cross_entropy(logits, window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        if progress is not None and (step + 1) % 50 == 0:
            progress(step + 1, steps, f"{float(loss.detach()) / math.log(2):.3f} bits a character")
    if isinstance(model, nn.Sequential):
        model.lstm.every_step = False
        model.characters.shape = (data.CONTEXT, data.SYMBOLS)
    return model.cpu()


def _every_step(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Logits behind every character, (batch * steps, 83)."""
    if isinstance(model, FloatLSTM):
        return model(x).flatten(0, 1)
    return model.classes(model.lstm(model.characters(x)).flatten(0, 1))


@torch.no_grad()
def bits_a_character(model: nn.Module) -> float:
    """Of the character behind each of 10 000 held-out windows of 64, as the model tells it."""
    characters, labels = data.text_test(PLACES)
    total = 0.0
    for start in range(0, len(labels), 500):
        part = slice(start, start + 500)
        x = torch.as_tensor(data.one_hot(characters[part]), dtype=torch.float32)
        logits = torch.as_tensor(model(x)).as_subclass(torch.Tensor).double()
        logits = logits[:, -1] if logits.dim() == 3 else logits
        total += float(F.cross_entropy(logits, torch.as_tensor(labels[part]), reduction="sum"))
    return total / len(labels) / math.log(2)
