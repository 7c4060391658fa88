"""``hwgen synth``: rows, the file that it leaves, and what bad input gets."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from hwgen.build import Build
from hwgen.report.synth import area_table
from hwgen.rtl.lib.area import Area
from hwgen.rtl.synthesis import LayerArea, Synthesis

LAYERS = ["fc1_dense", "relu1_requantize", "fc2_dense", "(top)"]


@pytest.fixture
def build(hwgen, graph_file, tmp_path):
    """The small network's Verilog."""
    code, _, err = hwgen(
        "compile", graph_file, "-o", "build/m", "--target", "verilog", "--no-verify"
    )
    assert code == 0, err
    return Build.load(tmp_path / "build" / "m")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_row_a_layer_and_a_file(hwgen, build):
    code, out, err = hwgen("synth", build.folder, "--device", "ice40", "--flat")
    assert code == 0, err
    rows = {cells(line)[0]: cells(line)[1:] for line in out.splitlines() if line.startswith("│")}
    assert list(rows) == [*LAYERS, "total", "total, flat"]
    numbers = {name: [int(cell.replace(" ", "")) for cell in row[:5]] for name, row in rows.items()}
    sums = [sum(numbers[name][k] for name in LAYERS) for k in range(5)]
    assert numbers["total"] == sums
    assert sums[1] * 3 // 4 < numbers["total, flat"][1] <= sums[1]
    assert all(sums[:3]) and not any(sums[3:])  # logic only
    assert "latches: 0" in out
    assert "estimates are made for xilinx" in out
    assert "Yosys 0." in out and out.rstrip().endswith("synth_ice40 -noflatten")
    data = json.loads((build.folder / "synth" / "ice40.json").read_text())
    assert [layer["name"] for layer in data["layers"]] == LAYERS
    assert list(data["total"].values()) == sums
    assert build.damage() == []


def test_the_call_from_python_gives_the_same_every_time(build):
    first = build.synthesize("generic")
    path = build.folder / "synth" / "generic.json"
    written = path.read_bytes()
    assert first.flat is None
    assert build.synthesize("generic") == first
    assert path.read_bytes() == written
    assert json.loads(written)["total"] == asdict(first.total)
    assert [p.name for p in path.parent.iterdir()] == ["generic.json"]


def test_estimates_stand_beside_counts(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    layers = (
        LayerArea("fc1", Area(200, 50, 40, 1, 3), Area(220, 49, 44, 1, 2)),
        LayerArea("(top)", Area(0, 10, 0, 0, 0), Area(2, 10, 0, 0, 0)),
    )
    area_table(Synthesis("xilinx", "Yosys", ("synth",), layers, None, 0, {"ODD": 1234}), "m")
    out = capsys.readouterr().out
    rows = [cells(line) for line in out.splitlines() if line.startswith("│")]
    counted = ["200", "50", "40", "1", "3"]
    assert rows[0] == ["fc1", *counted, "220", "1.10", "49", "0.98", "44", "1", "2"]
    assert rows[1][6:10] == ["2", "-", "10", "1.00"]
    assert rows[2][:3] == ["total", "200", "60"] and rows[2][6:8] == ["222", "1.11"]
    assert "not counted: 1 234 x ODD" in out


def test_a_result_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "synth" / "ice40.json"
    layers = (LayerArea("fc1", Area(1), None),)
    Synthesis("ice40", "Yosys", ("synth",), layers, None, 0, {}).save(path)
    before = path.read_bytes()

    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        Synthesis("ice40", "Yosys", ("other",), layers, None, 0, {}).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["ice40.json"]


def test_compile_shows_an_estimate(hwgen, graph_file, tmp_path):
    _, out, _ = hwgen("compile", graph_file, "-o", "m", "--target", "verilog", "--no-verify")
    (line,) = (line for line in out.splitlines() if line.startswith("area"))
    area = Build.load(tmp_path / "m").design.area
    about = f"about {round(area.lut, -1)} LUT6, {round(area.ff, -1)} flip-flops, estimated;"
    assert 100 < area.lut < 1000 and 100 < area.ff < 1000
    assert about in line
    assert line in hwgen("inspect", "m")[1]


def test_wrong_device(hwgen, build):
    code, _, err = hwgen("synth", build.folder, "--device", "spartan")
    assert code == 2
    assert "device must be one of ice40, ecp5, xilinx, generic, not 'spartan'" in err
    assert not (build.folder / "synth").exists()


def test_a_build_without_verilog(hwgen, graph_file):
    hwgen("compile", graph_file, "-o", "c", "--target", "c", "--no-verify")
    code, _, err = hwgen("synth", "c", "--device", "ice40")
    assert code == 2
    assert err.strip().splitlines()[-1].startswith("error: c/verilog: no Verilog design here")


def test_verilog_that_yosys_refuses(hwgen, build):
    broken = build.folder / "verilog" / "small_relu1_requantize.v"
    broken.write_text(broken.read_text().replace("endmodule", "endmodul"))
    code, _, err = hwgen("synth", build.folder, "--device", "ice40")
    assert code == 2
    assert "small_relu1_requantize.v has changed since it was built" in err
    assert "error: Yosys could not synthesize small_top:" in err
    assert "small_relu1_requantize.v:" in err and "syntax error" in err
    assert "Traceback" not in err
    assert not (build.folder / "synth").exists()


def _ended(pid: int) -> bool:
    """Also where nobody has asked for its exit code yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux' /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_yosys_and_writes_nothing(build, tmp_path, number):
    """Also what Yosys has started itself, as it does with its mapper."""
    (tmp_path / "slow.sh").write_text(
        f"echo $$ > {tmp_path}/pid.part\nmv {tmp_path}/pid.part {tmp_path}/pid\nexec sleep 100\n"
    )
    program = (
        "import dataclasses, sys\n"
        "from hwgen.rtl import device\n"
        f"slow = ('exec -- sh {tmp_path}/slow.sh',)\n"
        "ice40 = dataclasses.replace(device.DEVICES['ice40'], commands=slow)\n"
        "device.DEVICES['ice40'] = ice40\n"
        f"sys.argv = ['hwgen', 'synth', {str(build.folder)!r}, '--device', 'ice40']\n"
        "from hwgen.cli import main\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    pid = tmp_path / "pid"
    deadline = time.monotonic() + 60
    while not pid.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "nothing half-written was left behind" in err
    assert not list(build.folder.rglob("ice40*"))
    sleeper = int(pid.read_text())
    while not _ended(sleeper):
        assert time.monotonic() < deadline, "Yosys' child goes on"
        time.sleep(0.05)
