"""Plug-ins found through entry points, and the optional libraries that they need.

A package that adds a codec declares it in its ``pyproject.toml``::

    [project.entry-points."nnr_conformance.codecs"]
    mine = "my_package.codec:MyCodec"

and ``CODECS.load("mine")`` returns ``MyCodec``. Nothing is imported before it is loaded: what the
plan must know of a plug-in is said by the group that it is registered in. A plug-in calls
:func:`library` where it needs what not every installation has.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any, final

from conformance.verdicts import NotRunError, UnsupportedError


@final
class Registry:
    """The plug-ins of one entry point group; ``noun`` says what they are ("codec").

    Those of a special kind, of which ``kinds`` lists the names, are registered in a group of that
    kind: ``nnr_conformance.codecs.network``.
    """

    def __init__(self, group: str, noun: str, kinds: tuple[str, ...] = ()) -> None:
        self.group = group
        self.noun = noun
        self.kinds = kinds

    def names(self) -> tuple[str, ...]:
        """Return the names that are registered, sorted."""
        return tuple(sorted(self._entries))

    def load(self, name: str) -> Any:
        """Import and return what is registered under ``name``.

        An UnsupportedError is raised if the name is unknown, registered twice, or not importable.
        """
        entry = self._entry(name)
        try:
            return entry.load()
        except Exception as error:
            raise UnsupportedError(
                f"the {self.noun} {name!r} is registered but cannot be imported",
                expected=f"{entry.value} of {_distribution(entry)} can be imported",
                found=f"{type(error).__name__}: {error}",
                fix=f"Repair or reinstall {_distribution(entry)} and what it depends on.",
            ) from error

    def distribution(self, name: str) -> str:
        """Return the name and version of the distribution that registers ``name``.

        An UnsupportedError is raised if the name is unknown or registered twice.
        """
        return _distribution(self._entry(name))

    def module(self, name: str) -> str:
        """Return the module that provides ``name``, not imported; "" if it is not known."""
        candidates = self._entries.get(name, ())
        return candidates[0].module if candidates else ""

    def kind(self, name: str) -> str:
        """Return the special kind that ``name`` is registered as; "" if none, or not known."""
        candidates = self._entries.get(name, ())
        return candidates[0].group[len(self.group) + 1 :] if candidates else ""

    def versions(self) -> dict[str, str]:
        """Return the version of each distribution that registers anything, by its name."""
        # Each distribution once: to find out its version is to parse a file.
        owners = {entry.dist for each in self._entries.values() for entry in each if entry.dist}
        return {owner.name: owner.version for owner in owners}

    @cached_property
    def _entries(self) -> Mapping[str, tuple[EntryPoint, ...]]:
        found: dict[str, tuple[EntryPoint, ...]] = {}
        installed = entry_points()
        for kind in ("", *self.kinds):
            for entry in installed.select(group=f"{self.group}.{kind}".rstrip(".")):
                found[entry.name] = (*found.get(entry.name, ()), entry)
        return found

    def _entry(self, name: str) -> EntryPoint:
        candidates = self._entries.get(name, ())
        if not candidates:
            raise self._unknown(name)
        if len(candidates) > 1:
            raise self._ambiguous(name, candidates)
        return candidates[0]

    def _unknown(self, name: str) -> UnsupportedError:
        return UnsupportedError(
            f"there is no {self.noun} {name!r} here",
            expected=f"one of {', '.join(self.names()) or '(none is installed)'}",
            found=name,
            fix=(
                f"Correct the name, or install the package that provides this {self.noun}: "
                f"it registers itself in the entry point group {self.group!r}."
            ),
        )

    def _ambiguous(self, name: str, candidates: tuple[EntryPoint, ...]) -> UnsupportedError:
        owners = ", ".join(sorted(_distribution(entry) for entry in candidates))
        return UnsupportedError(
            f"more than one installed package provides the {self.noun} {name!r}",
            expected=f"one package registers {name!r} in {self.group!r}",
            found=owners,
            fix="Uninstall all of these packages but the one that is meant.",
        )


CODECS = Registry("nnr_conformance.codecs", "codec", ("bitstream", "network"))
"""The codecs that are installed.

Samples of a ``bitstream`` consist of NNR units and have rules that decoding alone does not enforce;
those of a ``network`` run as they are. All others hold tensors.
"""

RUNTIMES = Registry("nnr_conformance.runtimes", "model format", ("slow",))
"""The model formats that are installed.

A ``slow`` one takes seconds to import: workers are forked from a process that has done so.
"""

METRICS = Registry("nnr_conformance.metrics", "metric kind")
"""The kinds of metrics that are installed."""


def library(module: str, user: str, extra: str) -> Any:
    """Import and return ``module``, which ``user`` needs: ``metric kind 'ssim'``.

    Raises NotRunError with the command that installs it: the package's ``extra``.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise NotRunError(
            f"{user} needs {name}, which cannot be imported",
            expected=f"{name} is installed",
            found=str(error),
            fix=f"Run: pip install 'nnr-conformance[{extra}]'",
        ) from error


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unnamed package"
