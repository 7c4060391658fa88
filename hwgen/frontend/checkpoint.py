"""Self-describing checkpoints: a network's description and its tensors in one file.

A checkpoint is what ``torch.save`` writes of ``{"format", "version", "description", "state"}``, of
plain data and tensors only, so that ``torch.load(..., weights_only=True)`` reads it: loading runs
no code from the file and needs no class of the user's.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pickle
import uuid
import warnings
import zipfile
from pathlib import Path

import torch
from torch import nn

from ..errors import HwgenError, InvalidInput
from ..ir.graph import Graph
from ..nn import Network
from ..nn.masked import UnreadInputs
from .capture import capture
from .compact import compact, expand

__all__ = ["VERSION", "check_writable", "load", "load_network", "save"]

FORMAT = "hwgen-checkpoint"
VERSION = 1
HOW = "write one with hwgen.save(model, path)"


def save(model: nn.Module, path, example_shape=None, name: str | None = None) -> Path:
    """Write a checkpoint of a model made of ``hwgen.nn`` layers.

    The model is lowered first, so that whatever is written can be deployed.

    Parameters
    ----------
    model
        The trained model.
    path
        File to write.
    example_shape
        Shape of one sample in PyTorch's order, (features,) or (channels, height, width). Not
        needed if the input quantizer was given one or has seen a batch.
    name
        Name of the model; by default the stem of ``path``.

    Returns
    -------
    The path.
    """
    path = Path(path)
    network = capture(model)
    network.lower(example_shape)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "description": {**network.describe(), "name": name or path.stem},
        "state": {key: compact(value) for key, value in network.state_dict().items()},
    }
    content = io.BytesIO()
    torch.save(document, content)
    _write(path, content.getbuffer())
    return path


def check_writable(path) -> None:
    """Raise InvalidInput unless a checkpoint can be written at ``path``: before long training."""
    _write(Path(path), None)


def _write(path: Path, data) -> None:
    """Write a file whole or not at all; None: only see whether that can be done."""
    place = path.resolve()
    partial = place.with_name(f".{place.name[:40]}.partial-{uuid.uuid4().hex[:8]}")
    try:
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        partial.write_bytes(data or b"")
        if data is not None:
            partial.replace(place)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def load(path) -> Graph:
    """The integer graph of a checkpoint.

    Raises
    ------
    InvalidInput
        The file is missing, no checkpoint, damaged, of another version, or holds pickled code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnreadInputs)  # said when it was saved
            return load_network(path).lower()
    except HwgenError as error:
        text = str(error)
        raise (error if text.startswith(str(path)) else type(error)(f"{path}: {text}")) from None


def load_network(path) -> Network:
    """The network of a checkpoint, in eval mode: to run it in PyTorch or to train on."""
    path = Path(path)
    document = _read(path)
    try:
        network = Network.from_description(document.get("description"))
        _fill(network, document.get("state"))
    except HwgenError as error:
        raise type(error)(f"{path}: {error}") from None
    return network.eval()


def _fill(network: Network, state) -> None:
    """Load tensors, or InvalidInput naming the first that does not fit."""
    wanted = network.state_dict()
    if not isinstance(state, dict):
        raise InvalidInput("damaged checkpoint: must hold a state, found none")
    state = {
        name: expand(name, entry) if isinstance(entry, dict) else entry
        for name, entry in state.items()
    }
    for name in sorted(set(wanted) | set(state), key=str):
        want, found = (
            tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else None
            for tensor in (wanted.get(name), state.get(name))
        )
        if want != found:
            raise InvalidInput(
                f"damaged checkpoint: tensor {name!r} must "
                + (f"have shape {want}" if want is not None else "not be there")
                + f", found {'none' if found is None else f'shape {found}'}"
            )
    network.load_state_dict(state)


def _read(path: Path) -> dict:
    if not path.exists():
        raise InvalidInput(f"{path}: no such file")
    if path.is_dir():
        raise InvalidInput(f"{path}: must be a checkpoint file, found a folder")
    if not path.stat().st_size:
        raise InvalidInput(f"{path}: must be a checkpoint, found an empty file; {HOW}")
    _refuse_other_archives(path)
    try:
        document = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError:
        raise InvalidInput(f"{path}: cannot be read: permission denied") from None
    except pickle.UnpicklingError as error:
        if "global" in str(error).lower():
            raise InvalidInput(
                f"{path}: must hold plain data and tensors only, found pickled code (perhaps a "
                f"whole module); it was not run; {HOW}"
            ) from None
        raise InvalidInput(f"{path}: must be a checkpoint, found something else; {HOW}") from None
    except Exception:  # torch.load raises nearly anything on damaged files
        raise InvalidInput(
            f"{path}: must be a checkpoint, found a damaged or foreign file; {HOW}"
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidInput(f"{path}: {_foreign(document)}")
    if document.get("version") != VERSION:
        raise InvalidInput(
            f"{path}: checkpoint version must be {VERSION}, found {document.get('version')!r}; "
            f"write it again with this version of hwgen"
        )
    return document


def _foreign(document) -> str:
    if isinstance(document, dict) and any(isinstance(v, torch.Tensor) for v in document.values()):
        return (
            "must be a checkpoint of hwgen, found a plain state dict, which does not say what the "
            "layers are; load it into your model (model.load_state_dict) and " + HOW
        )
    return f"must be a checkpoint of hwgen, found {type(document).__name__}; {HOW}"


def _refuse_other_archives(path: Path) -> None:
    """Name the kinds of file that torch writes too and that are no checkpoint."""
    with path.open("rb") as file:
        start = file.read(4)
    if start != b"PK\x03\x04":
        return
    if not zipfile.is_zipfile(path):
        raise InvalidInput(f"{path}: must be a whole checkpoint, found a truncated file; {HOW}")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("constants.pkl") or "/code/" in name for name in names):
        raise InvalidInput(
            f"{path}: must be a checkpoint of hwgen, found a TorchScript file; {HOW}, "
            f"with the module that was scripted"
        )
    if any("archive_format" in name or name.endswith("models/model.json") for name in names):
        raise InvalidInput(
            f"{path}: must be a checkpoint of hwgen, found a program of torch.export, which cannot "
            f"be read without running code from it; if you trust it, load it with "
            f"torch.export.load and give it to hwgen.quantize"
        )
