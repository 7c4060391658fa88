"""The constraint solver, set up so that equal problems have equal answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import MissingTool

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, CpSolver

__all__ = ["import_cp_model", "solve"]


def import_cp_model():
    """OR-tools' module ``cp_model``; imported late, since it takes half a second.

    Raises
    ------
    MissingTool
        It is not installed.
    """
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        raise MissingTool(
            "memory planning for targets with L1 needs OR-tools, which is not installed; "
            "run: pip install ortools"
        ) from None
    return cp_model


def solve(model: CpModel, effort: float, is_linear: bool = False) -> CpSolver | None:
    """The solver with the best answer it found, None if there is none.

    Parameters
    ----------
    model
        The problem.
    effort
        Deterministic time (about seconds) after which it may return what it has.
    is_linear
        Whether sums say most about the problem, so that linear relaxations pay. Where a few
        choices say most, a plain search is done before presolve is.
    """
    cp_model = import_cp_model()
    solver = cp_model.CpSolver()
    parameters = solver.parameters
    parameters.num_workers = 1
    parameters.random_seed = 1
    parameters.max_deterministic_time = effort
    # Else it sets its own handler and then the system's, and Ctrl-C would never reach Python again.
    parameters.catch_sigint_signal = False
    if not is_linear:
        parameters.cp_model_presolve = False
        parameters.linearization_level = 0
    found = solver.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return solver if found else None
