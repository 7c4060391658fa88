"""Files: round trip, hash, and every kind of damage."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hwgen.errors import HwgenError, InvalidInput
from hwgen.ir import Constant, GraphBuilder, Type
from hwgen.ir.code import WeightCode
from hwgen.ir.serialize import from_json, load_graph, save_graph
from hwgen.ops.clip import Clip
from hwgen.ops.requantize import Requantize
from tests.ir.conftest import build_small


def test_round_trip(small, samples, tmp_path):
    text, data = save_graph(small, tmp_path / "m")
    assert (text.name, data.name) == ("m.ir.json", "m.safetensors")
    again = load_graph(text)
    assert again == small
    assert again.hash == small.hash
    assert np.array_equal(again.run(samples), small.run(samples))
    assert str(again) == str(small)


def test_files_are_the_same_every_time(small, tmp_path):
    first = [p.read_bytes() for p in save_graph(small, tmp_path / "a")]
    second = [p.read_bytes() for p in save_graph(build_small(), tmp_path / "b")]
    assert first == second


def test_files_follow_the_umask(small, tmp_path):
    umask = os.umask(0o022)
    try:
        modes = {stat.S_IMODE(p.stat().st_mode) for p in save_graph(small, tmp_path / "m")}
    finally:
        os.umask(umask)
    assert modes == {0o644}


def test_constants_are_stored_narrow_and_come_back_exact(tmp_path):
    b = GraphBuilder("wide")
    x = b.input(Type.of((2,), -1, 1))
    y = b.add(Requantize(Constant([2**31 - 1, 1]), Constant([40, 0]), -5, 5), x, name="r")
    text, data = save_graph(b.build(y), tmp_path / "m")
    stored = load_file(data)
    assert stored["r.multiplier"].dtype == np.int32
    assert stored["r.shift"].dtype == np.int8
    assert load_graph(text)["r"].op.multiplier.array.tolist() == [2**31 - 1, 1]


def test_hash_is_known():
    # A change here means that every artefact of users gets another hash: raise VERSION if meant.
    b = GraphBuilder("known")
    x = b.input(Type.of((2,), -8, 7, scale=0.5))
    y = b.add(Requantize(Constant([3, 1]), Constant(2), -4, 3), x, name="r", layer="0")
    assert b.build(y).hash == "3f46fca093927cbf3f7d033bd10637bd39eb2d68da8d9f208249b77795fca5af"


def test_hash_does_not_depend_on_the_process(small):
    code = "from tests.ir.conftest import build_small; print(build_small().hash)"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == small.hash


def _changed(value):
    """Another value of the same kind, or None where there is none."""
    if isinstance(value, Constant):
        array = value.array.copy()
        array.reshape(-1)[-1] += 1
        return Constant(array)
    if isinstance(value, WeightCode):
        return replace(value, values=_changed(value.values))
    if isinstance(value, tuple):
        return (value[0] + 1, *value[1:])
    return value + 1 if isinstance(value, int) else None


def _variants(graph):
    """The graph with one thing changed, for everything that it holds."""
    for at, node in enumerate(graph.nodes):
        attributes = node.op.attributes()
        changed = {key: _changed(value) for key, value in attributes.items()}
        others = [
            replace(node, op=replace(node.op, **{key: value}))
            for key, value in changed.items()
            if value is not None
        ]
        others += [
            replace(node, layer=node.layer + "x"),
            replace(node, name=node.name + "x"),
            replace(node, inputs=(*node.inputs, "x")),
            *(
                replace(node, type=replace(node.type, **{k: getattr(node.type, k) + 1}))
                for k in ("lo", "hi")
            ),
            replace(node, type=node.type.with_scale(0.125)),
            replace(node, type=replace(node.type, steps=2)),
        ]
        for other in others:
            yield replace(graph, nodes=(*graph.nodes[:at], other, *graph.nodes[at + 1 :]))
    yield replace(graph, name="other")
    yield replace(graph, output="x")
    yield replace(graph, nodes=graph.nodes[:-1])


def test_hash_sees_every_change(small):
    hashes = [small.hash, *(variant.hash for variant in _variants(small))]
    assert len(hashes) > 70
    assert len(set(hashes)) == len(hashes)


def _edit(change):
    """Damage that edits the JSON."""

    def damage(text, data):
        document = json.loads(text.read_text())
        change(document)
        text.write_text(json.dumps(document))

    return damage


def _node(name, /, **changes):
    def change(document):
        next(n for n in document["nodes"] if n["name"] == name).update(changes)

    return _edit(change)


def _attribute(name, /, **changes):
    def change(document):
        next(n for n in document["nodes"] if n["name"] == name)["attributes"].update(changes)

    return _edit(change)


def _tensor(change):
    """Damage that edits the tensors."""

    def damage(text, data):
        tensors = load_file(data)
        change(tensors)
        save_file(tensors, data)

    return damage


def _flip(tensors):
    tensors["conv.weights.values"][0, 0, 0, 0] ^= 1


def _bit_of_last_byte(text, data):
    raw = bytearray(data.read_bytes())
    raw[-1] ^= 2
    data.write_bytes(raw)


DAMAGE = {
    "no JSON file": lambda text, data: text.unlink(),
    "no tensor file": lambda text, data: data.unlink(),
    "JSON is a folder": lambda text, data: (text.unlink(), text.mkdir()),
    "JSON empty": lambda text, data: text.write_text(""),
    "JSON truncated": lambda text, data: text.write_text(text.read_text()[:-40]),
    "JSON is a list": lambda text, data: text.write_text("[]"),
    "JSON is something else": lambda text, data: text.write_text('{"format": "onnx"}'),
    "JSON not UTF-8": lambda text, data: text.write_bytes(b"\xff\xfe{}"),
    "JSON nested too deep": lambda text, data: text.write_text("[" * 100_000),
    "tensors empty": lambda text, data: data.write_bytes(b""),
    "tensors truncated": lambda text, data: data.write_bytes(data.read_bytes()[:-3]),
    "tensors of noise": lambda text, data: data.write_bytes(bytes(range(256))),
    "a tensor missing": _tensor(lambda t: t.pop("fc.bias")),
    "a tensor of fractions": _tensor(lambda t: t.update({"fc.bias": np.float32([0.5, 1, 2])})),
    "a tensor of another shape": _tensor(lambda t: t.update({"fc.bias": np.int8([0, 1])})),
    "an empty tensor": _tensor(lambda t: t.update({"fc.bias": np.int8([])})),
    "one weight flipped": _tensor(_flip),
    "one bit flipped": _bit_of_last_byte,
    "older version": _edit(lambda d: d.update(version=0)),
    "newer version": _edit(lambda d: d.update(version=2)),
    "no version": _edit(lambda d: d.pop("version")),
    "wrong hash": _edit(lambda d: d.update(hash="0" * 64)),
    "no hash": _edit(lambda d: d.pop("hash")),
    "no nodes": _edit(lambda d: d.pop("nodes")),
    "nodes is a number": _edit(lambda d: d.update(nodes=3)),
    "unknown op": _node("fc", op="transformer"),
    "op that is a path": _node("fc", op="lib.exact"),
    "op that is a package": _node("fc", op="lib"),
    "op that is a number": _node("fc", op=3),
    "attribute missing": _node("fc", attributes={}),
    "attribute unknown": _attribute("rectified", slope=1),
    "attribute of another type": _attribute("rectified", lo="one"),
    "attribute that is true": _attribute("rectified", lo=True),
    "constant of no key": _attribute("fc", bias={"constant": "nowhere"}),
    "object of no kind": _attribute("fc", bias={"what": 1}),
    "unknown code": _attribute("fc", weights={"code": "quaternary"}),
    "layer is a number": _node("fc", layer=1),
    "name is a list": _node("fc", name=["fc"]),
    "input is a list": _node("fc", inputs=[["x"]]),
    "another input": _node("fc", inputs=["x"]),
    "element unknown": _node("fc", type={"element": "i8"}),
    "shape of text": _node(
        "x", type={"shape": ["a"], "element": "u4", "lo": 0, "hi": 15, "scale": 1.0, "steps": None}
    ),
    "interval of text": _node(
        "x",
        type={
            "shape": [4, 4, 2],
            "element": "u4",
            "lo": "0",
            "hi": 15,
            "scale": 1.0,
            "steps": None,
        },
    ),
    "scale not a number": _node(
        "x",
        type={"shape": [4, 4, 2], "element": "u4", "lo": 0, "hi": 15, "scale": None, "steps": None},
    ),
    "output unknown": _edit(lambda d: d.update(output="z")),
}


@pytest.mark.filterwarnings("error")
def test_damage_is_named(small, tmp_path, snapshot):
    lines = []
    for case, damage in DAMAGE.items():
        folder = tmp_path / case.replace(" ", "_")
        folder.mkdir()
        text, data = save_graph(small, folder / "m")
        damage(text, data)
        with pytest.raises(HwgenError) as error:
            load_graph(text)
        assert error.value.exit_code == 2
        assert str(folder) in str(error.value), case
        message = str(error.value).replace(str(folder), "FOLDER")
        # What follows is in the words of json or safetensors, which change with their versions.
        message = re.sub("(?<=damaged graph: ).*", "...", message)
        lines.append(f"{case}:\n  {message}\n")
    snapshot.check("".join(lines), "damage.txt")


def test_a_number_of_numpy_is_refused_before_it_reaches_a_file():
    b = GraphBuilder("m")
    x = b.input(Type.of((2,), 0, 3))
    with pytest.raises(HwgenError, match="lo must be int"):
        b.add(Clip(np.int64(0)), x)


def test_the_wrong_document_is_refused():
    with pytest.raises(InvalidInput, match="must be hwgen-ir JSON, found something else"):
        from_json({"format": "other"}, {})
