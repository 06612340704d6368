"""Public suffixes, for what receivers of RFC 7489 conclude: RFC 9989 needs no list."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

__all__ = ["is_suffix", "organizational"]


@functools.cache
def _list() -> PublicSuffixList:
    # Reading the list takes longer than everything else here: only a judgement pays for it.
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415

    return PublicSuffixList()


@functools.lru_cache(maxsize=4096)
def _private(name: str) -> str | None:
    """The public suffix and one label more; None where the name is no more than a suffix."""
    return _list().privatesuffix(name)


def organizational(name: str) -> str:
    """The organizational domain as RFC 7489 section 3.2 has it; a public suffix is its own."""
    return _private(name) or name


def is_suffix(name: str) -> bool:
    """Whether a name is a public suffix; an unlisted top-level domain is one."""
    return _private(name) is None
