"""Random networks of realistic layers, and random targets: what the fuzzing of C draws from."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from hwgen.errors import RuleViolation
from hwgen.ir import Constant, Graph, GraphBuilder, Int, Type
from hwgen.mcu.target import Dma, Target, find_target
from hwgen.ops.add import Add
from hwgen.ops.argmax import Argmax
from hwgen.ops.avg_pool2d import AvgPool2d
from hwgen.ops.clip import Clip
from hwgen.ops.codes.uniform import Uniform
from hwgen.ops.conv2d import Conv2d
from hwgen.ops.dense import Dense
from hwgen.ops.flatten import Flatten
from hwgen.ops.lookup import Lookup
from hwgen.ops.max_pool2d import MaxPool2d
from hwgen.ops.requantize import Requantize

__all__ = ["heavy", "rich", "target"]

Rng = np.random.Generator
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 20, 31, 32)
KERNELS = ((1, 1), (1, 1), (3, 3), (3, 3), (3, 3), (5, 5), (1, 7), (7, 1), (2, 2), (4, 3), (6, 5))
MOST_PRODUCTS = 300_000  # of a network: its simulation takes a second or less


def _pick(rng: Rng, values):
    return values[int(rng.integers(len(values)))]


def a_byte(rng: Rng) -> Int:
    """Mostly eight bits, which the tuned kernels take."""
    width = _pick(rng, (*(8,) * 14, 7, 5, 4, 2, 1, 12, 16))
    return Int(width, bool(rng.integers(2)) and width > 1)


def a_code(rng: Rng, shape) -> Uniform:
    bits = _pick(rng, (8, 8, 8, 4, 4, 2, 2, 3, 6, 12))
    kind = Int(bits, signed=True)
    values = rng.integers(kind.lo, kind.hi, shape, endpoint=True)
    form = rng.integers(12)
    if form == 0:
        values = rng.choice([kind.lo, kind.hi], shape)
    elif form == 1:
        values = np.full(shape, kind.lo)
    elif form == 2 and bits == 8:
        values = np.maximum(values, -127)
    return Uniform(Constant(values), bits)


def a_bias(rng: Rng, code: Uniform, x: Type) -> Constant:
    """Of the size of the sums, as trained networks have it; sometimes none or larger."""
    outputs = code.shape[0]
    sums = math.sqrt(math.prod(code.shape[1:])) * max(abs(x.lo), abs(x.hi), 1) * code.element.hi
    most = int(_pick(rng, (0, 1, *(sums,) * 8, 4 * sums, 2**30)))
    return Constant(rng.integers(-most, most, outputs, endpoint=True))


def requantize(rng: Rng, x: np.ndarray) -> Requantize:
    """To few bits, with multipliers and shifts of every kind; ``x`` meets most of the range."""
    out = a_byte(rng)
    reach = max(abs(int(x.min())) if out.signed else 0, abs(int(x.max())), 1)
    scale = max(out.hi, 1) / reach * 2.0 ** rng.uniform(-1, 1)
    size = x.shape[-1] if rng.integers(2) else ()
    scales = scale * 2.0 ** rng.uniform(-0.6, 0.6, size)
    bits = _pick(rng, (0, 1, 3, 7, 8, 15, 16, 24, 30, 31))
    shift = np.floor(bits - 1 - np.log2(scales)).astype(np.int64)
    if rng.integers(2):  # one for all channels
        shift = np.full_like(shift, shift.min())
    shift = np.clip(shift, 0, 47)
    multiplier = np.clip(np.rint(scales * 2.0**shift), 1, (1 << max(bits, 1)) - 1)
    return Requantize(
        Constant(multiplier.astype(np.int64)), Constant(np.asarray(shift)), out.lo, out.hi
    )


class _Network:
    """A network that grows layer by layer; what breaks a rule is not added."""

    def __init__(self, rng: Rng, name: str) -> None:
        self.rng, self.products = rng, 0
        self.builder = GraphBuilder(name)
        kind = a_byte(rng)
        if rng.integers(5):
            sides = [_pick(rng, (1, 2, 3, 5, 6, 7, 8, 9, 11, 14, 17)) for _ in range(2)]
            shape = (*sides, _pick(rng, CHANNELS))
        else:
            shape = (int(_pick(rng, (1, 3, 4, 7, 16, 30, 65, 128, 200))),)
        self.values = [self.builder.input(Type.of(shape, kind.lo, kind.hi, element=kind))]
        self.data = {self.values[0]: rng.integers(kind.lo, kind.hi, (4, *shape), endpoint=True)}

    @property
    def type(self) -> Type:
        return self.builder.type(self.values[-1])

    def add(self, op, *operands) -> bool:
        operands = operands or self.values[-1:]
        try:
            value = self.builder.add(op, *operands)
        except RuleViolation:
            return False
        self.values.append(value)
        self.data[value] = op.run(*(self.data[operand] for operand in operands))
        return True

    def requantize(self) -> None:
        self.add(requantize(self.rng, self.data[self.values[-1]]))

    def weighted(self, op, products: int) -> None:
        """A layer with weights, and what makes bytes of its sums."""
        if self.products + products > MOST_PRODUCTS or not self.add(op):
            return
        self.products += products
        if self.rng.integers(8) == 0:
            self.add(Clip(0 if self.rng.integers(2) else None, None))
        if self.rng.integers(12):
            self.requantize()

    def conv2d(self) -> None:
        rng, x = self.rng, self.type
        height, width, channels = x.shape
        kernel, stride = _pick(rng, KERNELS), (1, 1)
        if rng.integers(3) == 0:
            stride = tuple(rng.integers(1, 4, 2).tolist())
        padding = tuple(k // 2 for k in kernel)
        if rng.integers(3) == 0:
            padding = tuple(int(rng.integers(0, k)) for k in kernel)
        form = rng.integers(8)
        if form < 2:
            groups, outputs = channels, channels * _pick(rng, (1, 1, 1, 1, 2, 3))
        elif form == 2:
            groups = _pick(rng, [g for g in range(1, channels + 1) if channels % g == 0])
            outputs = groups * int(rng.integers(1, 4))
        else:
            groups, outputs = 1, _pick(rng, CHANNELS)
        code = a_code(rng, (outputs, *kernel, channels // groups))
        op = Conv2d(code, a_bias(rng, code, x), stride, padding, groups)
        pixels = height * width // (stride[0] * stride[1]) + 1
        self.weighted(op, pixels * math.prod(code.shape))

    def dense(self) -> None:
        rng, x = self.rng, self.type
        outputs = _pick(rng, (1, 2, 3, 4, 7, 8, 10, 15, 16, 17, 31, 33, 64, 100))
        code = a_code(rng, (outputs, x.size))
        self.weighted(Dense(code, a_bias(rng, code, x)), outputs * x.size)

    def pool(self) -> None:
        rng, (height, width, _) = self.rng, self.type.shape
        if rng.integers(3) == 0:
            window = ((height, width), (height, width), (0, 0))
        else:
            kernel = tuple(rng.integers(1, 5, 2).tolist())
            stride = kernel if rng.integers(2) else tuple(rng.integers(1, 4, 2).tolist())
            padding = (0, 0)
            if rng.integers(2):
                padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
            window = (kernel, stride, padding)
        is_mean = rng.integers(2)
        if self.add((AvgPool2d if is_mean else MaxPool2d)(*window)) and is_mean:
            self.requantize()

    def residual(self) -> None:
        """The sum with an earlier value of that shape."""
        peers = [v for v in self.values if self.builder.type(v).shape == self.type.shape]
        pair = [self.values[-1], _pick(self.rng, peers)]
        if self.rng.integers(2):
            pair.reverse()
        if self.add(Add(), *pair) and self.rng.integers(2):
            self.requantize()

    def lookup(self) -> None:
        x = self.type
        if x.hi - x.lo < 600:
            most = int(_pick(self.rng, (7, 127, 255, 40_000)))
            entries = self.rng.integers(-most - 1, most, x.hi - x.lo + 1, endpoint=True)
            self.add(Lookup(Constant(entries), x.lo))

    def narrow(self) -> None:
        """To bytes where values have become wide."""
        if self.type.element.width > 16 and self.rng.integers(4):
            self.requantize()


def heavy(rng: Rng, name: str) -> Graph:
    """Mostly weights: fully connected layers, and 1x1 convolutions of few pixels."""
    network = _Network(rng, name)
    network.builder = GraphBuilder(name)
    shape = (int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(8, 60)))
    if rng.integers(3):
        shape = (int(rng.integers(20, 300)),)
    kind = Int(8, bool(rng.integers(2)))
    network.values = [network.builder.input(Type.of(shape, kind.lo, kind.hi, element=kind))]
    network.data = {network.values[0]: rng.integers(kind.lo, kind.hi, (4, *shape), endpoint=True)}
    for _ in range(int(rng.integers(2, 9))):
        x = network.type
        outputs, bits = int(rng.integers(3, 160)), _pick(rng, (8, 8, 8, 8, 4, 2, 16))
        shape = (outputs, x.size) if len(x.shape) == 1 else (outputs, 1, 1, x.channels)
        if len(x.shape) == 3 and rng.integers(4) == 0:
            shape = (x.channels, *(min(3, n) for n in x.shape[:2]), 1)
        kind = Int(bits, signed=True)
        code = Uniform(Constant(rng.integers(kind.lo, kind.hi, shape, endpoint=True)), bits)
        bias = a_bias(rng, code, x)
        if len(shape) == 2:
            network.add(Dense(code, bias))
        else:
            network.add(Conv2d(code, bias, groups=x.channels // shape[3]))
        network.requantize()
        if rng.integers(5) == 0:
            network.residual()
        if len(network.type.shape) == 3 and rng.integers(3) == 0:
            network.add(Flatten())
    return network.builder.build(network.values[-1])


def rich(rng: Rng, name: str) -> Graph:
    """A network of convolutions, pooling, residual sums and fully connected layers."""
    network = _Network(rng, name)
    wanted = int(rng.integers(1, 14))
    for _ in range(60):
        if len(network.values) > wanted:
            break
        network.narrow()
        if len(network.type.shape) == 3:
            layers = ("conv2d",) * 10 + ("pool",) * 4 + ("residual",) * 4 + ("lookup", "flatten")
        else:
            layers = ("dense",) * 6 + ("residual", "lookup")
        layer = _pick(rng, layers)
        if layer == "flatten":
            network.add(Flatten())
        else:
            getattr(network, layer)()
    if len(network.type.shape) == 1 and rng.integers(4) == 0:
        network.add(Argmax())
    if len(network.values) == 1:
        raise RuleViolation("the network must have a layer")
    return network.builder.build(network.values[-1])


def target(rng: Rng, tiled: bool | None = None) -> Target:
    """A machine like a bundled one, with other cores, memories and speeds.

    Parameters
    ----------
    tiled
        Whether it has L1; drawn if None.
    """
    names = ("gap8", "gap8", "gap8", "cv32e40p", "cv32e41p", "rv32imc")
    base = find_target(_pick(rng, names))
    if tiled is None:
        tiled = rng.integers(4) > 0
    cores = int(_pick(rng, (1, 2, 3, 4, 5, 8, 8)))
    same = {"name": f"drawn_{base.name}", "cores": cores}
    if not tiled:
        if base.l1:
            base = find_target("cv32e41p")
            same["name"] = "drawn_cv32e41p"
        if rng.integers(2):
            return replace(base, **same)
        return replace(base, **same | {"cores": 1})
    stack = int(_pick(rng, (1040, 1040, 1536)))
    usable = int(2 ** rng.uniform(10.2, 15.9)) // 4 * 4
    l1 = cores * stack + base.l1_reserve + usable
    room = int(2 ** rng.uniform(12.5, 19)) // 4 * 4
    dma = Dma(
        bytes=int(_pick(rng, (1, 4, 8, 8, 16))),
        setup=int(_pick(rng, (0, 16, 16, 100))),
        l3_bytes=int(_pick(rng, (1, 1, 2, 8))),
        l3_setup=int(_pick(rng, (0, 100, 1000))),
    )
    return replace(
        base,
        **same,
        stack=stack,
        l1=l1,
        l2=max(base.reserve + room, l1),
        l3=int(_pick(rng, (0, 8 << 20, 8 << 20, 8 << 20, 4096))),
        l2_wait=int(_pick(rng, (0, 1, 10, 10, 25))),
        dma=dma,
    )
