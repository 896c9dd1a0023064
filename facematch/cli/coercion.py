"""Values of the command line that are what they should be without Pydantic's help.

Typer hands every value, defaults among them, to Pydantic, whose import takes longer than
numpy's. Most values need nothing of it: a default is of its type already, and text and paths
are taken as they were typed. What does need converting or checking, a number or a choice that
was typed, still goes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def spare_pydantic(parameters: Iterable[Any]) -> None:
    """Puts :class:`PlainCoercion` in front of the parameters of a Typer command, once.

    The place is Typer's own business; where it is not found, Typer does all by itself.
    """
    for parameter in parameters:
        of_typer = getattr(parameter, "get_runtime_param", None)
        if of_typer is not None and not isinstance(of_typer, PlainCoercion):
            parameter.get_runtime_param = PlainCoercion(of_typer)


class PlainCoercion:
    """Stands in front of a parameter's own coercion.

    Args:
        of_typer: gives the object that coerces by Pydantic.
    """

    def __init__(self, of_typer: Callable[[], Any]) -> None:
        self._of_typer = of_typer

    def __call__(self) -> PlainCoercion:
        """What Typer calls to get at :meth:`coerce`."""
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command gets it.

        Raises:
            BadParameter: the value does not fit; by Typer.
        """
        wanted = param.type_descriptor.annotation
        if value is None and param.nargs == 1 and not param.multiple:
            return None
        if wanted is float and type(value) is int:
            return float(value)  # a default: what was typed is text
        if isinstance(wanted, type) and isinstance(value, wanted):
            return value
        if wanted is Path and isinstance(value, str) and _unchecked(param):
            return Path(value)
        if wanted == list[str] and all(isinstance(one, str) for one in value or ()):
            return value or ()
        return self._of_typer().coerce(value, param=param, ctx=ctx)


def _unchecked(param: Any) -> bool:
    """Whether nothing is asked of a path; a file that is missing has an error of ours."""
    asked = param.type_descriptor.parameter_info
    refused = asked.exists or asked.readable or asked.writable
    return not refused and not asked.resolve_path and asked.file_okay and asked.dir_okay
