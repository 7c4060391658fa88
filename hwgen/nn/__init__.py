"""Layers and quantizers to train with; each one is deployed in exactly the integers it shows.

Every file of this package that registers a layer is found by itself, so that adding one edits
nothing: ``hwgen.nn.Linear``, ``hwgen.nn.Conv2d``, ... are the classes of those files.
"""

from __future__ import annotations

import importlib
import pkgutil

from .accuracy import accuracies
from .layer import Layer, layer_classes, register_layer
from .margin import calibrate_margin
from .network import Network
from .recalibration import Recalibration, recalibrate
from .sources import number_sources
from .tensor import QTensor, integers

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

globals().update(layer_classes())

__all__ = [
    "Layer",
    "Network",
    "QTensor",
    "Recalibration",
    "accuracies",
    "calibrate_margin",
    "integers",
    "number_sources",
    "recalibrate",
    "register_layer",
    *layer_classes(),
]
