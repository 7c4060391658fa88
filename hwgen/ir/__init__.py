"""The intermediate representation: integers only, and its own golden model."""

from .constant import Constant
from .graph import Graph, GraphBuilder, Node
from .op import Cost, Op, register
from .schedule import Schedule
from .types import Int, Type

__all__ = [
    "Constant",
    "Cost",
    "Graph",
    "GraphBuilder",
    "Int",
    "Node",
    "Op",
    "Schedule",
    "Type",
    "register",
]
