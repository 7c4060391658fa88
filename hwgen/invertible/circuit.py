"""Boolean circuits that are built gate by gate, and run in every direction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ..errors import InvalidInput
from .assembly import assemble
from .gates import CATALOGUE, Gate
from .hamiltonian import Hamiltonian
from .relations import Relation, propagate
from .terms import Net, Term, place
from .truth_table import fit

__all__ = ["Circuit", "Net"]

ZERO = Net(None)


def _conjunction(a: Net, b: Net) -> Net | None:
    """``a and b`` where no gate is needed, else None."""
    for p, q in ((a, b), (b, a)):
        if p.constant is not None:
            return q if p.constant else ZERO
    if a.node == b.node:
        return a if a == b else ZERO
    return None


def _parity(a: Net, b: Net) -> Net | None:
    """``a xor b`` where no gate is needed, else None."""
    for p, q in ((a, b), (b, a)):
        if p.constant is not None:
            return ~q if p.constant else q
    if a.node == b.node:
        return ZERO if a == b else ~ZERO
    return None


class Circuit:
    """A Boolean circuit: nets, gates between them, and the words that name them.

    A net that several gates share is one node, whose fields and couplings add up, so that the ground
    states of the whole are the states in which every gate holds. Inverters are signs of couplings and
    cost no node; gates on constants or on a net twice become smaller gates or none.

    >>> circuit = Circuit("full_adder")
    >>> a, b, c = (circuit.bit(name) for name in "abc")
    >>> total, carry = circuit.full_adder(a, b, c)
    >>> circuit.output("y", [total, carry])
    >>> circuit.evaluate({"a": 1, "b": 0, "c": 1})["y"]
    2
    >>> circuit.hamiltonian().ground
    -4
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._names: list[str] = []
        self._taken: dict[str, int] = {}
        self._unnamed: set[int] = set()
        self._count: dict[str, int] = {}
        self._terms: list[Term] = []
        self._words: dict[str, tuple[Net, ...]] = {}
        self._inputs: list[str] = []

    # ---- nets and words

    def _node(self, name: str | None, kind: str) -> Net:
        node = len(self._names)
        if name is None:
            while True:
                number = self._count[kind] = self._count.get(kind, -1) + 1
                name = f"{kind}{number}"
                if name not in self._taken:
                    break
            self._unnamed.add(node)
        elif name in self._taken:
            raise InvalidInput(f"circuit {self.name!r} already has a net {name!r}; rename one")
        self._taken[name] = node
        self._names.append(name)
        return Net(node)

    def _declare(self, name: str, nets: Sequence[Net]) -> None:
        if name in self._words:
            raise InvalidInput(f"circuit {self.name!r} already has a word {name!r}; rename one")
        if not nets:
            raise InvalidInput(f"word {name!r} must have at least one bit")
        self._words[name] = tuple(nets)

    def bit(self, name: str) -> Net:
        """A free net, which is also a word of one bit."""
        net = self._node(name, "bit")
        self._declare(name, [net])
        self._inputs.append(name)
        return net

    def word(self, name: str, width: int) -> tuple[Net, ...]:
        """``width`` free nets, lowest bit first."""
        nets = tuple(self._node(f"{name}[{k}]", "bit") for k in range(width))
        self._declare(name, nets)
        self._inputs.append(name)
        return nets

    def output(self, name: str, nets: Net | Iterable[Net]) -> None:
        """Names a word, lowest bit first; nets that have no name yet are called after it."""
        nets = (nets,) if isinstance(nets, Net) else tuple(nets)
        self._declare(name, nets)
        for k, net in enumerate(nets):
            label = name if len(nets) == 1 else f"{name}[{k}]"
            if net.node in self._unnamed and label not in self._taken:
                del self._taken[self._names[net.node]]
                self._names[net.node] = label
                self._taken[label] = net.node
                self._unnamed.discard(net.node)

    def constant(self, value: int) -> Net:
        """The bit 0 or 1."""
        if value not in (0, 1):
            raise InvalidInput(f"a constant must be 0 or 1, found {value!r}")
        return Net(None, bool(value))

    @property
    def inputs(self) -> tuple[str, ...]:
        """The words that are free."""
        return tuple(self._inputs)

    @property
    def words(self) -> dict[str, tuple[Net, ...]]:
        """The nets of every word, lowest bit first."""
        return dict(self._words)

    # ---- gates

    def _instance(self, gate: Gate, nets: Sequence[Net], weight: int = 1) -> None:
        for net in nets:
            if net.node is not None and not 0 <= net.node < len(self._names):
                raise InvalidInput(f"{net} is not a net of circuit {self.name!r}")
        self._terms.append(place(gate, nets).weighted(weight))

    def _gate(self, kind: str, inputs: Sequence[Net], name: str | None, weight: int = 1) -> Net:
        gate = CATALOGUE[kind]
        y = self._node(name, kind)
        extra = [self._node(f"{self._names[y.node]}.{pin}", kind) for pin in gate.aux]
        self._instance(gate, [*inputs, y, *extra], weight)
        return y

    def not_(self, a: Net) -> Net:
        """The complement of ``a``: the same node with the opposite meaning."""
        return ~a

    def copy(self, a: Net, name: str | None = None, weight: int = 1) -> Net:
        """A node of its own that equals ``a``, by a gate whose energies are ``weight`` times as high."""
        return self._gate("copy", [a], name, weight)

    def and_(self, a: Net, b: Net, name: str | None = None) -> Net:
        known = _conjunction(a, b)
        return self._gate("and", [a, b], name) if known is None else known

    def nand(self, a: Net, b: Net, name: str | None = None) -> Net:
        known = _conjunction(a, b)
        return self._gate("nand", [a, b], name) if known is None else ~known

    def or_(self, a: Net, b: Net, name: str | None = None) -> Net:
        known = _conjunction(~a, ~b)
        return self._gate("or", [a, b], name) if known is None else ~known

    def nor(self, a: Net, b: Net, name: str | None = None) -> Net:
        known = _conjunction(~a, ~b)
        return self._gate("nor", [a, b], name) if known is None else known

    def xor(self, a: Net, b: Net, name: str | None = None) -> Net:
        known = _parity(a, b)
        return self._gate("xor", [a, b], name) if known is None else known

    def xnor(self, a: Net, b: Net, name: str | None = None) -> Net:
        known = _parity(a, b)
        return self._gate("xnor", [a, b], name) if known is None else ~known

    def majority(self, a: Net, b: Net, c: Net, name: str | None = None) -> Net:
        """1 where two of three or more are."""
        for p, q, r in ((a, b, c), (a, c, b), (b, c, a)):
            if p.node == q.node and p.node is not None:
                return p if p == q else r
            if r.constant is not None:
                return self.or_(p, q, name) if r.constant else self.and_(p, q, name)
        return self._gate("majority", [a, b, c], name)

    def half_adder(
        self, a: Net, b: Net, name: str | None = None, weight: int = 1
    ) -> tuple[Net, Net]:
        """(sum, carry) of two bits, as one gate whose energies are ``weight`` times as high."""
        if a.constant is not None or b.constant is not None or a.node == b.node:
            return self.xor(a, b), self.and_(a, b)
        total = self._node(None if name is None else f"{name}.sum", "sum")
        carry = self._node(None if name is None else f"{name}.carry", "carry")
        self._instance(CATALOGUE["half_adder"], [a, b, total, carry], weight)
        return total, carry

    def full_adder(
        self, a: Net, b: Net, c: Net, name: str | None = None, weight: int = 1
    ) -> tuple[Net, Net]:
        """(sum, carry) of three bits, as one gate whose energies are ``weight`` times as high."""
        for p, q, r in ((a, b, c), (a, c, b), (b, c, a)):
            if r.constant == 0:
                return self.half_adder(p, q, name, weight)
            if r.constant == 1:
                # p + q + 1 = 2 carry + sum exactly where ~p + ~q = 2 ~carry + ~sum.
                total, carry = self.half_adder(~p, ~q, name, weight)
                return ~total, ~carry
            if p.node == q.node:
                return (r, p) if p == q else (~r, r)
        total = self._node(None if name is None else f"{name}.sum", "sum")
        carry = self._node(None if name is None else f"{name}.carry", "carry")
        self._instance(CATALOGUE["full_adder"], [a, b, c, total, carry], weight)
        return total, carry

    def mux(self, a: Net, b: Net, select: Net, name: str | None = None) -> Net:
        """``b`` where ``select`` is 1, else ``a``: one gate, with a node less than of ANDs and an OR."""
        if select.constant is not None:
            return b if select.constant else a
        if a == b:
            return a
        if a.constant is not None or a.node == select.node:
            # select ? b : select is select ? b : 0, select ? b : ~select is select ? b : 1.
            one = a.constant == 1 or a == ~select
            return self.or_(~select, b, name) if one else self.and_(select, b, name)
        if b.constant is not None or b.node == select.node:
            one = b.constant == 1 or b == select
            return self.or_(select, a, name) if one else self.and_(~select, a, name)
        if a.node == b.node:
            return self.xor(a, select, name)
        return self._gate("mux", [a, b, select], name)

    # ---- truth tables

    def relation(
        self,
        nets: Sequence[Net],
        table: int | Callable[..., object] | Iterable[Sequence[int] | str],
        name: str | None = None,
        *,
        bound: int = 4,
        max_auxiliary: int = 2,
    ) -> None:
        """Allows the rows of ``table`` only; further arguments are those of `fit`."""
        pins = None if callable(table) else [f"p{k}" for k in range(len(nets))]
        kind = name or "relation"
        gate = fit(table, pins, name=kind, bound=bound, max_auxiliary=max_auxiliary)
        if len(gate.pins) != len(nets) + len(gate.aux):
            raise InvalidInput(
                f"relation {kind!r} is between {len(gate.pins) - len(gate.aux)} bits, found "
                f"{len(nets)} nets"
            )
        extra = [self._node(name and f"{name}.{pin}", kind) for pin in gate.aux]
        self._instance(gate, [*nets, *extra])

    def lookup(
        self,
        inputs: Sequence[Net],
        table: int | Callable[..., object],
        name: str | None = None,
        *,
        bound: int = 4,
        max_auxiliary: int = 2,
    ) -> Net:
        """A new net that is a function of ``inputs``, by the same integer program.

        Parameters
        ----------
        table
            An integer whose bit k is the value where the inputs' bits are k (first input lowest), or
            a function of the inputs' bits.
        """
        values = range(1 << len(inputs))
        if callable(table):
            ones = [bool(table(*(k >> i & 1 for i in range(len(inputs))))) for k in values]
        elif 0 <= table < 1 << len(values):
            ones = [bool(table >> k & 1) for k in values]
        else:
            raise InvalidInput(
                f"the table of {len(inputs)} inputs must lie in 0..2^{len(values)} - 1, found {table}"
            )
        rows = sum(1 << (k | one << len(inputs)) for k, one in zip(values, ones, strict=True))
        y = self._node(name, "lookup")
        self.relation(
            [*inputs, y], rows, self._names[y.node], bound=bound, max_auxiliary=max_auxiliary
        )
        return y

    # ---- what it is as a whole

    def evaluate(self, values: Mapping[str, int]) -> dict[str, int]:
        """All words, from those of ``values``: what follows from gate to gate.

        Raises
        ------
        InvalidInput
            The values do not decide every word, or no state has them.
        """
        known: dict[int, int] = {}
        for name, value in values.items():
            if name not in self._words:
                raise InvalidInput(
                    f"circuit {self.name!r} has no word {name!r}; it has {', '.join(self._words)}"
                )
            nets = self._words[name]
            if not 0 <= value < 1 << len(nets):
                raise InvalidInput(
                    f"word {name!r} has {len(nets)} bits and takes 0..{(1 << len(nets)) - 1}, "
                    f"found {value}"
                )
            for k, net in enumerate(nets):
                bit = (value >> k & 1) ^ net.inverted
                if (0 if net.node is None else known.setdefault(net.node, bit)) != bit:
                    raise InvalidInput(f"{name}[{k}] cannot be {value >> k & 1}")
        relations = [Relation(term.nodes, term.table, term.name) for term in self._terms]
        known = propagate(relations, known, self._names)
        found = {}
        for name, nets in self._words.items():
            for net in nets:
                if net.node is not None and net.node not in known:
                    raise InvalidInput(
                        f"the values of {', '.join(values) or 'no word'} do not decide "
                        f"{self._names[net.node]} of word {name!r}; give {', '.join(self._inputs)}"
                    )
            found[name] = sum(
                ((0 if net.node is None else known[net.node]) ^ net.inverted) << k
                for k, net in enumerate(nets)
            )
        return found

    def hamiltonian(self, max_degree: int | None = None) -> Hamiltonian:
        """The energy whose ground states are the states in which every gate holds.

        Parameters
        ----------
        max_degree
            Nodes with more neighbours are split: gates beyond that attach to copies of the node.
        """
        return assemble(self._names, self._terms, self._words, max_degree)
