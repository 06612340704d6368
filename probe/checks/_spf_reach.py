"""Whom an SPF policy lets in: the exact set of addresses that pass, whoever asks."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from probe.checks._spf_networks import EVERYTHING, Span, decide, network_span
from probe.checks._spf_result import MOST_LOOKUPS, queryable
from probe.checks._spf_tree import Tree, mx_hosts, target
from probe.facts import Records
from probe.grammar import spf
from probe.grammar.spf import Record, Term

__all__ = ["addresses", "authorised"]


def authorised(tree: Tree, seen: Records, term: Term | None = None) -> tuple[tuple[Span, ...], bool]:
    """The addresses that pass (that one term of the own record holds), and whether that is all.

    It is not where a term depends on the message (macros, ``ptr``), and where a lookup failed or was not
    made. A policy beyond the limit lets nobody in.
    """
    if tree.count > MOST_LOOKUPS:
        return (), False
    walk = _Reach(tree, seen)
    if term is None:
        return walk.passing(tree.domain, ())
    literal = _literal(term)
    return walk.spans(term, tree.domain, (tree.domain,)) if literal is None else (literal, True)


# Domains of a fleet let the same providers in. A longer record or list is nobody's but its author's.
_ORDINARY_TEXT, _ORDINARY_LIST = 2048, 500

_Layers = tuple[tuple[bool, tuple[Span, ...]], ...]


def _decided(layers: _Layers) -> tuple[Span, ...]:
    """As `decide`; what lists of ordinary length come to is remembered."""
    ordinary = sum([len(spans) for _, spans in layers]) <= _ORDINARY_LIST
    return _remembered_list(layers) if ordinary else decide(layers)


@functools.lru_cache(maxsize=512)
def _remembered_list(layers: _Layers) -> tuple[Span, ...]:
    return decide(layers)


class _Written(NamedTuple):
    """What a record's text tells of whom it lets in.

    `terms` are those that decide: whether each lets in, and whom, None where that must be asked. `listed`
    is whom the record lets in, where nothing must be asked, as with the lists of providers.
    """

    terms: tuple[tuple[Term, bool, tuple[Span, ...] | None], ...]
    listed: tuple[Span, ...] | None


def _written(record: Record) -> _Written:
    return _remembered_text(record.text) if len(record.text) <= _ORDINARY_TEXT else _read(record)


@functools.lru_cache(maxsize=512)
def _remembered_text(text: str) -> _Written:
    return _read(spf.parse(text))


def _read(record: Record) -> _Written:
    redirect = record.first("redirect") if record.all is None else None
    deciding = (*record.mechanisms, *((redirect,) if redirect else ()))
    terms = tuple((term, term.qualifier in {"+", ""}, _literal(term)) for term in deciding)
    layers = [(lets_in, spans) for _, lets_in, spans in terms if spans is not None]
    return _Written(terms, decide(layers) if len(layers) == len(terms) else None)


def _literal(term: Term) -> tuple[Span, ...] | None:
    """The addresses of a term that asks for nothing."""
    if term.network is not None:
        return (network_span(term.network),)
    return EVERYTHING if term.name == "all" else None


@functools.lru_cache(maxsize=4096)
def _around(address: str, length: int) -> Span | None:
    """The network of this length around an address; None where it is no address."""
    try:
        return network_span(ipaddress.ip_network((address, length), strict=False))
    except ValueError:
        return None


def addresses(term: Term, domain: str, seen: Records) -> Iterator[str]:
    """The addresses behind an ``a`` or ``mx`` term, as far as they have been seen."""
    about = target(term, domain)
    name = queryable(about) if about is not None else None
    if name is not None:
        for host in (name,) if term.name == "a" else mx_hosts(seen.of(name, "MX")):
            yield from seen.of(host, "A")
            yield from seen.of(host, "AAAA")


@dataclass(frozen=True, slots=True)
class _Reach:
    """Walks the records of a tree that has at most ten lookups."""

    tree: Tree
    seen: Records

    def passing(self, domain: str, line: tuple[str, ...]) -> tuple[tuple[Span, ...], bool]:
        record = self.tree.records.get(domain)
        if record is None or record.problems or domain in line or len(line) > MOST_LOOKUPS:
            return (), False
        terms, listed = _written(record)
        if listed is not None:
            return listed, True
        exact = True
        line = (*line, domain)
        layers: list[tuple[bool, tuple[Span, ...]]] = []
        for term, lets_in, literal in terms:
            spans, sure = self.spans(term, domain, line) if literal is None else (literal, True)
            exact = exact and sure
            layers.append((lets_in, spans))
        return _decided(tuple(layers)), exact

    def spans(self, term: Term, domain: str, line: tuple[str, ...]) -> tuple[tuple[Span, ...], bool]:
        about = target(term, domain)
        name = queryable(about) if about is not None and term.name != "ptr" else None
        if name is None:
            return (), False
        if term.name in {"include", "redirect"}:
            return self.passing(name, line)
        if term.name == "exists":
            answer = self.seen.asked(name, "A")
            known = answer is not None and answer.known
            return (EVERYTHING if self.seen.of(name, "A") else ()), known
        if term.name == "a":
            return self.around((name,), term)
        answer = self.seen.asked(name, "MX")
        spans, sure = self.around(mx_hosts(self.seen.of(name, "MX")), term)
        return spans, sure and answer is not None and answer.known

    def around(self, hosts: Iterable[str], term: Term) -> tuple[tuple[Span, ...], bool]:
        """The networks around the addresses of some hosts."""
        spans: list[Span] = []
        exact = True
        for host in hosts:
            for kind, length in (("A", term.cidr4), ("AAAA", term.cidr6)):
                answer = self.seen.asked(host, kind)
                exact = exact and answer is not None and answer.known
                for value in self.seen.of(host, kind):
                    if (span := _around(value, length)) is not None:
                        spans.append(span)
                    else:
                        exact = False
        return tuple(spans), exact
