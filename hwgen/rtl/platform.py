"""The platform that components are elaborated for when Verilog is written.

Amaranth passes it to every ``elaborate``; in Amaranth's own simulator it is None.
"""

from __future__ import annotations

from importlib import resources

import jinja2

__all__ = ["VerilogPlatform", "template"]


def template(name: str) -> jinja2.Template:
    """A template of ``rtl_templates/``."""
    text = (resources.files("hwgen.rtl_templates") / name).read_text(encoding="utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    return environment.from_string(text)


class VerilogPlatform:
    """Collects the leaf modules that components lay out as plain Verilog.

    Parameters
    ----------
    header
        Comment at the head of every file.

    Attributes
    ----------
    leaves
        Verilog text by module name.
    """

    def __init__(self, header: str) -> None:
        self._header = header
        self.leaves: dict[str, str] = {}

    def add_leaf(self, module: str, template_name: str, values: dict) -> None:
        """Render one leaf module from a template of ``rtl_templates/``."""
        self.leaves[module] = template(template_name).render(header=self._header, **values)
