"""A YAML file becomes a `Spec`: every mistake in it is collected, none is raised."""

from __future__ import annotations

import os

from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.chain_key import Head, elaborate_chain, read_chain_heads
from tensorgrad_cli.spec.chain_key import Heads as Steps
from tensorgrad_cli.spec.check_key import read_check, read_layout
from tensorgrad_cli.spec.claims_key import read_claims, read_derivations, read_implementations
from tensorgrad_cli.spec.data_key import Files, Sizes, read_data, read_gradients
from tensorgrad_cli.spec.dims_key import Dims, check_conditions, read_dims
from tensorgrad_cli.spec.entries import Notes, kind
from tensorgrad_cli.spec.functions_key import Heads, define, read_function_heads, refuse_layers
from tensorgrad_cli.spec.hiding import hiding_remarks, unused_dims
from tensorgrad_cli.spec.loss_key import Declared, read_hessian, read_loss, read_wrt
from tensorgrad_cli.spec.memory import too_large
from tensorgrad_cli.spec.model import DimensionFact, Spec
from tensorgrad_cli.spec.nodes import MAX_BYTES, Node, Table, parsed
from tensorgrad_cli.spec.tensors_key import Tensors, read_tensors

__all__ = ["KEYS", "decoded", "read", "read_path", "read_source", "source_at"]

KEYS = (
    "title",
    "note",
    "dims",
    "tensors",
    "functions",
    "layers",
    "chain",
    "loss",
    "wrt",
    "hessian",
    "claims",
    "derivations",
    "data",
    "gradients",
    "implementations",
    "layout",
    "check",
)

Outcome = tuple[Spec | None, tuple[Issue, ...]]


def read_source(source: Source | Issue, layout: str | None = None, *, load_data: bool = True) -> Outcome:
    """The spec that a source holds, nothing of one that could not be opened; a `layout` goes before the spec's own."""
    if isinstance(source, Issue):
        return None, (source,)
    spec, issues = read(source, load_data=load_data)
    if spec is not None and layout is not None:
        spec = replace(spec, layout=layout, scope=replace(spec.scope, layout=layout))
    return spec, issues


def read_path(path: str, *, load_data: bool = True) -> Outcome:
    """The spec in a file; a file that is missing, binary or too large is an issue like any other."""
    return read_source(source_at(path), load_data=load_data)


def source_at(path: str) -> Source | Issue:
    """The text of a file, read once: it may be a pipe. What is wrong with it where it cannot be read."""
    try:
        return Source(path, _text(path))
    except Issue as issue:
        return issue


def _text(path: str) -> str:
    start = Source(path, "").span()
    if os.path.isdir(path):
        raise Issue("is-a-folder", start, f"{path} is a folder, and a spec is a file")
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Issue("no-such-file", start, f"there is no file {path}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is no path"
        raise Issue("unreadable-file", start, f"{path} cannot be read: {reason}") from None
    return decoded(raw, path)


def decoded(raw: bytes, path: str) -> str:
    """The text of a spec's bytes. Raises an Issue where they are too many or no UTF-8 text."""
    start = Source(path, "").span()
    if len(raw) > MAX_BYTES:
        raise Issue("too-large", start, f"{path} is larger than {MAX_BYTES >> 20} MiB, which no spec is")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Issue("binary-file", start, f"{path} is UTF-16 text", "save it as UTF-8")
    if b"\0" in raw:
        raise Issue("binary-file", start, f"{path} is no text: it holds NUL bytes")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"{path} is no UTF-8 text: byte {raw[error.start]:#04x} in line {line}"
        raise Issue("binary-file", start, message, "save it as UTF-8") from None


def read(source: Source, *, load_data: bool = True) -> Outcome:
    """The spec that a source holds, or None and everything that is wrong with it.

    Without `load_data` no file is read: `data` and `gradients` stay empty and sizes are those of `dims`.
    """
    text = source.text.removeprefix("\ufeff")
    if len(text) > MAX_BYTES:
        return None, (Issue("too-large", None, f"the spec is larger than {MAX_BYTES >> 20} MiB"),)
    if text is not source.text:
        source = Source(source.path, text)
    root, issues = parsed(source)
    notes = Notes()
    notes.issues += issues
    if root is None and not issues:
        notes.issue(
            "empty-spec",
            source.span(0, 0),
            "the file is empty",
            "write `tensors:` and a `chain:` of equations; README.md has a first spec",
        )
    elif root is not None and not isinstance(root, Table):
        message = f"a spec is a mapping of keys such as `chain:`, and {kind(root)} stands here"
        notes.issue("not-a-mapping", root.span, message)
    spec = _Reading(source, root, notes, load_data).spec() if isinstance(root, Table) else None
    found = tuple(sorted(notes.issues, key=_place))
    return (None if found else spec), found


def _place(issue: Issue) -> int:
    return issue.span.root().start if issue.span is not None else -1


class _Reading:
    """One reading of a mapping: the sections in the order in which they need each other."""

    def __init__(self, source: Source, root: Table, notes: Notes, load_data: bool) -> None:
        self.source = source
        self.root = root
        self.notes = notes
        self.load_data = load_data
        self.fields = notes.fields(root, KEYS, "a spec")

    def field(self, key: str) -> Node | None:
        """What stands at a key."""
        return self.fields.get(key)

    def spec(self) -> Spec:
        """The spec; of no use where issues were found."""
        notes = self.notes
        check = read_check(self.field("check"), notes)
        dims = read_dims(self.field("dims"), notes)
        tensors = read_tensors(self.field("tensors"), notes)
        functions = read_function_heads(self.field("functions"), notes)
        layers = refuse_layers(self.field("layers"), notes)
        chain = read_chain_heads(self.field("chain"), tensors.spans, self.source.span(0, 0), notes)
        scope, bad_functions = define(functions, self.scope(dims, tensors, functions, chain), notes)
        bad_functions |= layers
        broken = frozenset(tensors.spellings) - frozenset(tensors.tensors)
        steps, scope = elaborate_chain(chain.heads, scope, broken | chain.broken, bad_functions, notes)
        declared = Declared(scope, frozenset(head.name for head in chain.heads) | chain.broken, broken)
        loss = read_loss(self.field("loss"), steps, declared, notes)
        wrt = read_wrt(self.field("wrt"), declared, notes)
        hessian = read_hessian(self.field("hessian"), wrt, declared, notes)
        claims = read_claims(self.field("claims"), tensors.spellings, notes)
        derivations = read_derivations(self.field("derivations"), notes)
        implementations = read_implementations(self.field("implementations"), notes)
        sizes = Sizes({n: f.size for n, f in dims.facts.items() if f.size is not None}, dims.spellings)
        files = Files(os.path.dirname(self.source.path), check.max_memory)
        data, gradients = {}, {}
        if self.load_data and not broken:
            data = read_data(self.field("data"), scope.tensors, scope, sizes, files, notes)
            gradients = read_gradients(self.field("gradients"), scope, sizes, files, notes)
        facts = self.facts(dims, tensors, sizes)
        known_dimensions = {name: scope.spelling(name) for name in scope.dimensions}
        check_conditions(dims, facts, known_dimensions, notes)
        notes.remarks += (*hiding_remarks(scope), *unused_dims(dims, scope, self.source.text))
        self.fits(scope, tensors, chain.heads, sizes, check.max_memory)
        return Spec(
            path=self.source.path,
            source=self.source,
            title=self.title(),
            note=self.note(),
            scope=scope,
            dims=facts,
            tensors=scope.tensors,
            chain=steps,
            loss=loss,
            wrt=wrt,
            hessian=hessian,
            claims=claims,
            derivations=derivations,
            data=data,
            gradients=gradients,
            implementations=implementations,
            layout=scope.layout,
            check=check,
            remarks=tuple(notes.remarks),
            dimensions=scope.dimensions,
            names_arrays=self.field("data") is not None or self.field("gradients") is not None,
        )

    def title(self) -> str:
        """The key `title`, or the file's name."""
        node = self.field("title")
        said = self.notes.text(node, "`title`") if node is not None else None
        return said or os.path.basename(self.source.path)

    def note(self) -> str | None:
        """The key `note`."""
        node = self.field("note")
        return self.notes.text(node, "`note`") if node is not None else None

    def scope(self, dims: Dims, tensors: Tensors, functions: Heads, chain: Steps) -> Scope:
        """What the names mean before the first step."""
        shapes = [tensor.shape for tensor in tensors.tensors.values()]
        shapes += [head.shape for head in chain.heads if head.shape is not None]
        named = [d.name for shape in shapes for d in shape if d.fixed is None]
        return Scope(
            tensors=tensors.tensors,
            dimensions={name: Dimension(name) for name in (*dims.facts, *named)},
            abstract=dict.fromkeys(functions.abstract, 0),
            spellings={**dims.spellings, **functions.spellings, **tensors.spellings},
            layout=read_layout(self.field("layout"), self.notes),
        )

    def facts(self, dims: Dims, tensors: Tensors, sizes: Sizes) -> dict[str, DimensionFact]:
        """What is known of dimensions: `dims`, sizes of data; orthonormal columns are no more than rows."""
        facts = dict(dims.facts)
        for name, size in sizes.known.items():
            facts[name] = replace(facts.get(name, DimensionFact()), size=size)
        for tensor in tensors.tensors.values():
            if tensor.structure == "orthonormal" and tensor.shape[0] != tensor.shape[1]:
                rows, columns = (dimension.name for dimension in tensor.shape)
                name, said = (columns, ("<=", rows)) if rows.isdecimal() else (rows, (">=", columns))
                if not name.isdecimal():
                    old = facts.get(name, DimensionFact())
                    facts[name] = replace(old, conditions=(*old.conditions, said))
        return facts

    def fits(
        self, scope: Scope, tensors: Tensors, heads: tuple[Head, ...], sizes: Sizes, budget: int
    ) -> None:
        """An issue where the sizes would not fit in memory."""
        shapes = {name: tensor.shape for name, tensor in scope.tensors.items()} | dict(scope.steps)
        spans = dict(tensors.spans) | {head.name: head.span for head in heads}
        issue = too_large(shapes, spans, sizes.known, budget, scope.spellings)
        if issue is not None:
            self.notes.issues.append(issue)
