"""The command line: parses, calls the API, prints. One function a verb."""

from __future__ import annotations

import signal
import sys
import warnings
from pathlib import Path

import click

from . import __version__
from .errors import HwgenError
from .solve_command import solve

__all__ = ["cli", "main"]

SIMULATORS = ("verilator", "icarus", "verilator-cocotb", "amaranth")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="hwgen")
def cli() -> None:
    """Trained PyTorch networks in, verified Verilog and C out.

    \b
    Examples:
      hwgen demo                                  the whole story on a bundled model
      hwgen compile model.pt -o build/m           Verilog and C, verified bit for bit
      hwgen compile model.pt -o build/m --cycles 500
      hwgen simulate build/m --simulator icarus --samples 4 --waves
      hwgen run build/m --on iss
      hwgen synth build/m --device ice40
      hwgen inspect model.pt
      hwgen solve factor 143                      invertible logic: a multiplier run backwards
      hwgen doctor                                which tools are here
    """


@cli.command()
@click.argument("model")
@click.option("-o", "--out", type=Path, help="Build folder [default: build/MODEL].")
@click.option("--target", default="all", show_default=True, help="verilog, c or all.")
@click.option(
    "--mcu",
    default="host",
    show_default=True,
    metavar="NAME|FILE",
    help="What the C is for: see 'hwgen targets', or a target file of your own (.toml).",
)
@click.option("--cycles", type=int, help="Most clock cycles between frames.")
@click.option(
    "--schedule",
    "choices",
    multiple=True,
    metavar="LAYER=FORM",
    help="Hardware of one layer: spatial, folded:PExSIMD; of LFSR-masked weights also serial:PE "
    "or scan:PExBITS; of recurrent cells events:LANESxROWS or columns:LANESxROWS, with :streamed "
    "where weights come through a port. Repeatable.",
)
@click.option(
    "--pipeline",
    type=int,
    metavar="N",
    help="Adders in a row between registers of spatial layers, 1 to 64 [default: 4].",
)
@click.option(
    "--streaming",
    type=int,
    metavar="STEPS",
    help="Take so many steps of a sequence a call; recurrent layers keep their state.",
)
@click.option("--vectors", type=Path, help="Samples to verify on: integers, .npy.")
@click.option("--simulator", type=click.Choice(SIMULATORS), help="Engine that checks the Verilog.")
@click.option("--no-verify", is_flag=True, help="Emit without comparing.")
@click.option("--force", is_flag=True, help="Replace whatever lies in the build folder.")
@click.option("--dump-ir", type=Path, metavar="DIR", help="Print the graph after every pass here.")
def compile(
    model: str,
    out: Path | None,
    target: str,
    mcu: str,
    cycles: int | None,
    choices: tuple[str, ...],
    pipeline: int | None,
    streaming: int | None,
    vectors: Path | None,
    simulator: str | None,
    no_verify: bool,
    force: bool,
    dump_ir: Path | None,
) -> None:
    """Compile MODEL to Verilog and C, and show both equal to PyTorch.

    MODEL is a checkpoint written by hwgen.save, a graph (.ir.json), or the name of a model of the
    zoo. The build folder appears only when every form is verified. A plain float module becomes
    a checkpoint in Python: network, report = hwgen.quantize(module, calibration), then hwgen.save.

    \b
    Examples:
      hwgen compile digits-mlp
      hwgen compile model.pt -o build/m --target c --mcu gap8
      hwgen compile model.pt -o build/m --cycles 2000 --schedule fc1=folded:4x16
    """
    from .arguments import load_array, parse_choices
    from .compiler import compile as compile_model
    from .report.progress import Console
    from .report.table import layer_table, print_checks, summary

    reporter = Console()
    build = compile_model(
        model,
        out or Path("build") / Path(model).name.split(".")[0],
        target=target,
        mcu=mcu,
        cycles=cycles,
        schedules=parse_choices(choices),
        pipeline=pipeline,
        streaming=streaming,
        samples=load_array(vectors, "--vectors") if vectors else None,
        simulator=simulator,
        verify=not no_verify,
        force=force,
        dump_ir=dump_ir,
        reporter=reporter,
    )
    layer_table(build.graph, build.schedules, f"{build.graph.name}, graph {build.graph.hash[:16]}")
    print("\n".join(summary(build)))
    checks = build.manifest["checks"]
    print_checks(build.manifest)
    if checks:
        print(f"0 of {sum(c['samples'] for c in checks)} outputs differ")
    else:
        print(f"not verified{' (--no-verify)' * no_verify}")


@cli.command()
@click.argument("build", type=Path)
@click.option("--simulator", type=click.Choice(SIMULATORS), default="verilator", show_default=True)
@click.option("--samples", type=int, help="How many of the golden vectors (random ones beyond).")
@click.option("--stalls", is_flag=True, help="Source and sink pause at random.")
@click.option("--check", is_flag=True, help="All protocol scenarios: stalls, resets, timing.")
@click.option("--waves", is_flag=True, help="Write waveforms to BUILD/sim.")
def simulate(
    build: Path, simulator: str, samples: int | None, stalls: bool, check: bool, waves: bool
) -> None:
    """Simulate the Verilog of BUILD and compare it with the golden model.

    \b
    Examples:
      hwgen simulate build/m
      hwgen simulate build/m --simulator icarus --samples 4 --waves
      hwgen simulate build/m --simulator amaranth --check
    """
    from .arguments import chosen_samples, no_rerun, warn_of_damage
    from .build import Build
    from .report.activity import activity_table
    from .report.progress import Console
    from .report.table import counted, memory_traffic
    from .sim import check_timing, protocol_check
    from .verification import compare

    loaded = Build.load(build)
    warn_of_damage(loaded)
    x, expected = chosen_samples(loaded, samples)
    design = loaded.design
    reporter = Console()
    if check:
        with reporter.step(f"protocol scenarios in {simulator}"):
            flat = expected.reshape(len(x), -1)
            result = protocol_check(design, loaded.engine(simulator), x, flat)
    else:
        file = loaded.folder / "sim" / f"{design.top}_{simulator}.vcd" if waves else None
        with reporter.step(f"simulating {len(x)} samples in {simulator}") as progress:
            result = loaded.simulation(x, simulator, stalls=stalls, waves=file, progress=progress)
        compare(loaded.graph, simulator, x, expected, result.outputs, no_rerun)
        check_timing(design, result, f"{design.top} in {simulator}")
    bound = design.timing_is_bound
    measured = [
        f"{what} {value} cycles ({'declared are at most ' + str(most) if bound else 'as declared'})"
        for what, value, most in (
            ("interval", result.interval, design.interval),
            ("latency", result.latency, design.latency),
        )
        if value is not None
    ]
    print("; ".join([f"{design.top} in {simulator}: {result.cycles} cycles", *measured]))
    activity_table(loaded.graph, loaded.schedules, x, f"these {counted(len(x), 'sample')}")
    for line in memory_traffic(design, result.requests):
        print(line)
    if result.waves:
        print(f"waveforms: {result.waves} (open them with GTKWave or Surfer)")
    print(f"0 of {len(x)} outputs differ")


@cli.command()
@click.argument("build", type=Path)
@click.option(
    "--on",
    "where",
    default="host",
    show_default=True,
    help="host (this machine), iss (instruction-set simulator), cv32e40p or cv32e41p (core RTL).",
)
@click.option("--samples", type=int, help="How many of the golden vectors (random ones beyond).")
@click.option(
    "--cores",
    type=int,
    help="Simulated cores [default: all of a target with L1, one of any other].",
)
@click.option(
    "--sanitize", is_flag=True, help="On the host: address and undefined behaviour sanitizers."
)
def run(build: Path, where: str, samples: int | None, cores: int | None, sanitize: bool) -> None:
    """Run the C code of BUILD and compare it with the golden model.

    On a simulated core: cycles, instructions and MAC/cycle of every layer. The first run on a
    core's RTL builds its simulator, once.

    \b
    Examples:
      hwgen run build/m
      hwgen run build/m --samples 1000 --sanitize
      hwgen run build/m --on iss --cores 8
      hwgen run build/m --on cv32e41p --samples 1
    """
    from .arguments import chosen_samples, no_rerun, warn_of_damage
    from .build import Build
    from .report.mcu import plan_table
    from .report.progress import Console
    from .report.table import counted
    from .verification import compare

    loaded = Build.load(build)
    warn_of_damage(loaded)
    x, expected = chosen_samples(loaded, samples)
    if where != "host":
        if sanitize:
            raise click.UsageError("--sanitize goes with --on host")
        _run_on_core(loaded, where, cores, x, expected)
        return
    how = " with sanitizers" if sanitize else ""
    with Console().step(f"running {counted(len(x), 'sample')} on {where}{how}"):
        got = loaded.run(x, where, cores=cores, sanitize=sanitize)
    compare(loaded.graph, f"C on {where}", x, expected, got, no_rerun)
    plan_table(loaded.c)
    print(f"0 of {len(x)} outputs differ")


def _run_on_core(loaded, engine: str, cores: int | None, x, expected) -> None:
    from .arguments import no_rerun
    from .report.mcu import run_table
    from .report.progress import Console
    from .report.table import counted
    from .sim.riscv import rtl
    from .verification import compare

    if engine in rtl.CORES and not rtl.is_built(engine):
        with Console().step(f"building the simulator of {engine}'s RTL, once"):
            rtl.program(engine)
    with Console().step(f"running {counted(len(x), 'sample')} on {engine}") as progress:
        got, run = loaded.measure(x, engine, cores=cores, progress=progress)
    compare(loaded.graph, f"C on {engine}", x, expected, got, no_rerun)
    run_table(loaded.c, run, engine)
    print(f"0 of {len(x)} outputs differ")


@cli.command()
@click.argument("build", type=Path)
@click.option(
    "--device",
    default="xilinx",
    show_default=True,
    help="ice40, ecp5, xilinx (UltraScale+), or generic (six-input tables and flip-flops).",
)
@click.option("--flat", is_flag=True, help="Count the whole once more, without its hierarchy.")
def synth(build: Path, device: str, flat: bool) -> None:
    """Count with Yosys what the Verilog of BUILD takes of a device, layer by layer.

    The result is also written as BUILD/synth/DEVICE.json. Large designs take minutes.

    \b
    Examples:
      hwgen synth build/m
      hwgen synth build/m --device ice40 --flat
    """
    from .arguments import warn_of_damage
    from .build import Build
    from .report.progress import Console
    from .report.synth import area_table

    loaded = Build.load(build)
    warn_of_damage(loaded)
    with Console().step(f"synthesis of {loaded.design.top} for {device} in Yosys"):
        result = loaded.synthesize(device, flat=flat)
    area_table(result, loaded.design.top)


@cli.command()
def targets() -> None:
    """Show what C can be emitted for, and which simulators run it.

    \b
    Examples:
      hwgen targets
      hwgen compile model.pt --target c --mcu gap8
      hwgen compile model.pt --target c --mcu my_board.toml
    """
    from .mcu.target import describe_targets
    from .report.table import print_table

    titles, rows = describe_targets()
    print_table("targets", titles, rows)
    print("A target of your own: --mcu FILE.toml, with extends = NAME and what differs.")


@cli.command()
@click.argument("model")
def inspect(model: str) -> None:
    """Show the integer graph of MODEL: a checkpoint, a graph, a build folder or a zoo model.

    \b
    Examples:
      hwgen inspect model.pt
      hwgen inspect build/m
    """
    from .arguments import damage_in_words
    from .build import Build
    from .loading import find_source, load
    from .report.mcu import plan_table
    from .report.table import layer_table, print_checks, summary

    path = find_source(model)
    graph = load(path)
    print(graph)
    build = Build.load(path) if path.is_dir() else None
    layer_table(graph, build.schedules if build else {}, f"{graph.name}, graph {graph.hash[:16]}")
    if build:
        options = build.manifest["options"]
        if options.get("target") != "verilog" and options.get("mcu", "host") != "host":
            plan_table(build.c)
        print("\n".join(summary(build)))
        print_checks(build.manifest)
        for text in damage_in_words(build):
            print(text)


@cli.command()
@click.option("-o", "--out", type=Path, default=Path("build/digits-mlp"), show_default=True)
@click.option("--model", default="digits-mlp", show_default=True, help="A model of the zoo.")
def demo(out: Path, model: str) -> None:
    """The whole story on a bundled model: checkpoint to Verilog and C, simulated and compared."""
    from .report.demo import run_demo

    run_demo(model, out)


@cli.command()
def doctor() -> None:
    """Show which tools are here, what each missing one would enable, and how to get it."""
    from .report.doctor import run_doctor

    run_doctor()


@cli.group()
def study() -> None:
    """Measure a trained network over what can be chosen without training again."""


@study.command("stochastic")
@click.argument("checkpoint")
@click.option("-o", "--out", type=Path, help="Folder of the results [default: study/MODEL].")
@click.option(
    "--data",
    metavar="MODEL|FILE",
    help="Samples: those of a model of the zoo, or an .npz file with x and labels.",
)
@click.option("--samples", type=click.IntRange(min=1), help="At most so many of them.")
@click.option("--lengths", default="32,64,128,256,512,1024", show_default=True, help="Steps.")
@click.option("--components", default="1,2,4", show_default=True, help="Bit streams of a weight.")
@click.option("--codings", default="sign_magnitude,bipolar", show_default=True)
@click.option("--seeds", type=click.IntRange(1, 20), default=5, show_default=True)
@click.option("--device", default="xilinx", show_default=True, help="Of the areas; see synth.")
@click.option("--no-area", is_flag=True, help="Synthesize nothing.")
@click.option("--no-faults", is_flag=True, help="Flip no bits.")
def study_stochastic(
    checkpoint: str,
    out: Path | None,
    data: str | None,
    samples: int | None,
    lengths: str,
    components: str,
    codings: str,
    seeds: int,
    device: str,
    no_area: bool,
    no_faults: bool,
) -> None:
    """Draw the error, latency and area of a stochastic classifier, and of a fixed-point one beside it.

    CHECKPOINT was written by hwgen.save, or is a model of the zoo. The folder holds tables (.csv), plots
    (.png) and a page with all of it (report.html). Minutes for small networks; areas take most of it.

    \b
    Examples:
      hwgen study stochastic digits-stochastic
      hwgen study stochastic digits-stochastic --seeds 1 --components 1,4 --no-area
      hwgen study stochastic model.pt --data held_out.npz -o study/m
    """
    from .arguments import parse_numbers, parse_words
    from .ops.lib.random_numbers import COMPONENTS, MAX_LENGTH
    from .ops.stochastic_dense import CODINGS
    from .report.study import Options, run_stochastic
    from .rtl.device import find_device

    options = Options(
        lengths=parse_numbers(lengths, "--lengths", range(1, MAX_LENGTH + 1)),
        components=parse_numbers(components, "--components", COMPONENTS),
        codings=parse_words(codings, "--codings", CODINGS),
        seeds=seeds,
        samples=samples,
        area=not no_area,
        faults=not no_faults,
        device=find_device(device).name,
    )
    run_stochastic(checkpoint, out, data, options)


@cli.group()
def zoo() -> None:
    """Small real models: list them, or train them again."""


@zoo.command("list")
def zoo_list() -> None:
    """Show the models and their accuracy on held-out data."""
    from .report.zoo import list_models

    list_models()


@zoo.command("train")
@click.argument("name")
@click.option("-o", "--out", type=Path, help="Checkpoint to write [default: NAME.pt].")
def zoo_train(name: str, out: Path | None) -> None:
    """Train NAME again by its recipe and write a checkpoint.

    \b
    Example:
      hwgen zoo train digits-mlp -o digits-mlp.pt
    """
    from .report.zoo import train_model

    train_model(name, out or Path(f"{name}.pt"))


cli.add_command(solve)


class _Stopped(BaseException):
    """SIGTERM or SIGHUP has come."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def _unwind_on_signals() -> None:
    """Let SIGTERM and SIGHUP clean up, as Ctrl-C does."""

    def stop(number: int, frame) -> None:
        raise _Stopped(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # else nohup
            signal.signal(number, stop)


def main() -> None:
    """Entry point: runs a command; errors become one line and an exit code."""
    # Tables and progress lines keep their order where both go into one file.
    if sys.stdout is not None:
        sys.stdout.reconfigure(line_buffering=True)
    _unwind_on_signals()
    # Amaranth's, where an interrupt leaves a design half made.
    warnings.filterwarnings("ignore", message=".* created but never used")
    warnings.formatwarning = lambda message, *rest, **options: f"warning: {message}\n"
    try:
        code = cli.main(prog_name="hwgen", standalone_mode=False)
    except HwgenError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = 2
    except (KeyboardInterrupt, click.Abort):
        print("interrupted; nothing half-written was left behind", file=sys.stderr)
        code = 130
    except _Stopped as stop:
        print("stopped by a signal; nothing half-written was left behind", file=sys.stderr)
        code = 128 + stop.signal
    except BrokenPipeError:
        sys.stderr.close()
        code = 141
    except OSError as error:  # such as a full disk
        print(f"error: {error}", file=sys.stderr)
        code = 2
    sys.exit(code)


if __name__ == "__main__":
    main()
