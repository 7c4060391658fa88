"""How tidied Verilog is laid out: declarations, conditional statements, memories, names."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "TEMPORARY",
    "Net",
    "declaration",
    "natural_order",
    "net_text",
    "plain_names",
    "port_order",
    "short_memories",
    "skeleton",
    "statement",
]

TEMPORARY = re.compile(r"\b_\d+_(?!\w)")


@dataclass
class Net:
    """A declared net; ``port`` is ``input``, ``output`` or empty."""

    name: str
    width: int
    signed: bool
    reg: bool
    init: str | None
    port: str


def net_text(name: str) -> str:
    return f"{name} " if name.startswith("\\") else name


def declaration(net: Net, port: bool = False) -> str:
    kind = "reg " if net.reg else "wire"
    parts = [f"{net.port:6} {kind}" if port else kind.strip()]
    if net.signed:
        parts.append("signed")
    if net.width > 1:
        parts.append(f"[{net.width - 1}:0]")
    parts.append(net_text(net.name))
    if net.init is not None:
        parts.append(f"= {net.init}")
    return " ".join(parts)


def port_order(net: Net) -> tuple:
    """clk, rst, then the streams, each as payload, valid, ready."""
    if net.name in ("clk", "rst"):
        return (0, net.name)
    of_memory = re.fullmatch(r"(?:\w+_)?(?:columns|weights)_(payload|valid|ready)", net.name)
    stream, _, part = net.name.rpartition("_") if of_memory else net.name.partition("_")
    order = {"payload": 0, "valid": 1, "ready": 2}
    return (1, stream, order.get(part, 3), net.name)


def natural_order(net: Net) -> list:
    """By name, numbers by value; temporaries last."""
    parts = re.split(r"(\d+)", net.name.lstrip("\\"))
    return [bool(TEMPORARY.match(net.name)), *(int(p) if p.isdecimal() else p for p in parts)]


def skeleton(tree) -> tuple | str:
    """A tree without what is assigned."""
    if isinstance(tree, str):
        return "set" if tree else "hold"
    condition, yes, no = tree
    return condition, skeleton(yes), skeleton(no)


def statement(trees: list, indent: str) -> list[str]:
    """The statements of trees with one skeleton."""
    if isinstance(trees[0], str):
        return [f"{indent}{tree}" for tree in trees]
    lines: list[str] = []
    while not isinstance(trees[0], str):
        condition = trees[0][0]
        yes, no = [tree[1] for tree in trees], [tree[2] for tree in trees]
        if yes[0] == "":
            condition, yes, no = _negated(condition), no, yes
        inner = statement(yes, indent + "  ")
        block = len(yes) > 1 or not isinstance(yes[0], str)
        head = f"if ({condition}){' begin' if block else ''}"
        if not lines:
            lines.append(indent + head)
        elif lines[-1] == f"{indent}end":
            lines[-1] += f" else {head}"
        else:
            lines.append(f"{indent}else {head}")
        lines += inner + ([f"{indent}end"] if block else [])
        trees = no
    if trees[0]:
        block = len(trees) > 1
        head = f"else{' begin' if block else ''}"
        if lines[-1] == f"{indent}end":
            lines[-1] += f" {head}"
        else:
            lines.append(indent + head)
        lines += statement(trees, indent + "  ") + ([f"{indent}end"] if block else [])
    return lines


def _negated(condition: str) -> str:
    if re.fullmatch(r"~(\w+|\\\S+ )", condition):
        return condition[1:]
    return f"~{condition}" if re.fullmatch(r"\w+", condition) else f"~({condition})"


def short_memories(text: str) -> str:
    """A memory of equal words is initialised by a loop."""

    def shorten(match: re.Match) -> str:
        words = re.findall(r"\] = (\S+);", match.group(1))
        name = match.group(2)
        if len(words) < 4 or len(set(words)) > 1:
            return match.group(0)
        index = f"{name}_word"
        return (
            f"  integer {index};\n  initial\n"
            f"    for ({index} = 0; {index} < {len(words)}; {index} = {index} + 1)\n"
            f"      {name}[{index}] = {words[0]};\n"
        )

    return re.sub(r"  initial begin\n((?:    (\w+)\[\d+\] = \S+;\n)+)  end\n", shorten, text)


def plain_names(text: str) -> str:
    """Without escapes and ``$``; temporaries are counted from 1."""
    taken = set(re.findall(r"\w+", text))
    new: dict[str, str] = {}

    def free(name: str) -> str:
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    for name in re.findall(r"\\\S+ ", text):
        if name not in new:
            new[name] = free(re.sub(r"\W+", "_", name).strip("_"))
    text = re.sub(r"\\\S+ ", lambda match: new[match.group(0)], text)
    for count, name in enumerate(dict.fromkeys(TEMPORARY.findall(text)), start=1):
        new[name] = free(f"t{count}")
    return re.sub(r"\b_\d+_(?!\w)", lambda match: new[match.group(0)], text)
