"""A runbook as a value, and the reading of its Markdown: front matter, sections by heading, steps, code fences.

CommonMark block structure is markdown-it-py's (a `#` inside a fence is no heading); inline text stays as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from assistant.errors import RunbookIndexError

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
FRONT_MATTER_LENGTH, FRONT_MATTER_DEPTH = 16 * 1024, 10
MOST_HEADINGS = 2000
LISTS = ("alertnames", "services", "kinds", "symptoms", "related")
FOLDER_PAGES = frozenset({"readme", "index", "_index"})
STEP_HEADINGS = ("diagnosis", "mitigation")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced code block: `language` as its info string says, `line` of its first line in the file (from 1)."""

    language: str
    code: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """One list item's first paragraph, white space folded, with the line it begins on."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading, up to the next. `trail` is the headings above it, outermost first, itself last."""

    trail: tuple[str, ...]
    text: str
    line: int
    steps: tuple[Step, ...] = ()
    fences: tuple[Fence, ...] = ()

    @property
    def heading(self) -> str:
        return self.trail[-1] if self.trail else ""


@dataclass(frozen=True, slots=True)
class Runbook:
    """A parsed runbook. `path` is relative to its folder, with `/`; `hash` is the SHA-256 of the file's bytes;
    `generic` says that it was shipped with the product and yields to a team's own; `kinds` are the sorts of failure it
    is for, in the analyst's words, `symptoms` how people report it; `symptom` says that its alert shows
    that something is wrong and not what."""

    path: str
    hash: str
    title: str
    sections: tuple[Section, ...]
    alertnames: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    owner: str = ""
    reviewed: str = ""
    severity: str = ""
    symptom: bool = False
    generic: bool = False
    origin: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.path}@{self.hash[:12]}"


def parse_runbook(text: str, *, path: str, digest: str, origin: str = "") -> Runbook:
    """Read one file's text. Raises RunbookIndexError where the front matter is broken; a file without any is fine."""
    meta, body, first_line = split_front_matter(text, path=path)
    sections = tuple(_sections(body, path=path, first_line=first_line))
    lists = {key: _strings(meta.get(key), key=key, path=path) for key in LISTS}
    named = _title(sections)
    stem = named if "#" in path else _stem(path)
    title = str(meta.get("title") or named or words(stem))
    return Runbook(
        path=path,
        hash=digest,
        title=title,
        sections=sections,
        alertnames=lists["alertnames"] or ((stem,) if looks_like_alert(stem) else ()),
        services=lists["services"],
        kinds=lists["kinds"],
        symptoms=lists["symptoms"],
        related=lists["related"],
        owner=str(meta.get("owner") or ""),
        reviewed=str(meta.get("reviewed") or ""),
        severity=str(meta.get("severity") or ""),
        symptom=meta.get("based_on") == "symptom",
        generic=meta.get("generic") is True,
        origin=origin,
        extra=meta,
    )


def split_front_matter(text: str, *, path: str) -> tuple[dict[str, Any], str, int]:
    """Front matter as a mapping, the body, and the line the body begins on. Raises RunbookIndexError."""
    text = text.removeprefix("\ufeff")
    found = FRONT_MATTER.match(text)
    if not found:
        if text.startswith("---\n") or text.startswith("---\r\n"):
            raise RunbookIndexError(f"{path}:1: front matter is not closed", mend="end it with a line of three dashes")
        return {}, text, 1
    import yaml

    if len(found[1]) > FRONT_MATTER_LENGTH:
        raise RunbookIndexError(f"{path}:1: front matter is over {FRONT_MATTER_LENGTH:,} characters", mend="shorten it")
    try:
        _check_yaml(found[1], path=path)
        meta = yaml.safe_load(found[1])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        raise RunbookIndexError(f"{path}:{line}: front matter is not YAML", mend="mend that line") from None
    except ValueError:  # a date such as 2026-13-45
        raise RunbookIndexError(f"{path}:1: front matter holds what is no value", mend="mend it") from None
    if meta is None:
        meta = {}
    if not isinstance(meta, dict):
        raise RunbookIndexError(f"{path}:1: front matter is not a table of keys", mend="write `key: value` lines")
    return {str(k): v for k, v in meta.items()}, text[found.end() :], text[: found.end()].count("\n") + 1


def _check_yaml(text: str, *, path: str) -> None:
    """Raises RunbookIndexError for what would grow or sink without end: aliases and deep nesting."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > FRONT_MATTER_DEPTH:
            raise RunbookIndexError(f"{path}:1: front matter holds aliases or deep nesting", mend="write plain lists")


def words(name: str) -> str:
    """`KubeAPIDown` as `Kube API Down`, `issuer_unavailable` as `issuer unavailable`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return re.sub(r"[_\-./]+", " ", spaced).strip()


def _stem(path: str) -> str:
    """A file's name; for a folder's own page (`IssuerDown/README.md`) the folder's."""
    *folders, name = path.split("/")
    stem = name.removesuffix(".markdown").removesuffix(".md")
    return folders[-1] if folders and stem.lower() in FOLDER_PAGES else stem


def looks_like_alert(stem: str) -> bool:
    return bool(re.fullmatch(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*", stem)) and stem.upper() != stem


def _strings(value: Any, *, key: str, path: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise RunbookIndexError(f"{path}:1: `{key}` is not a list of names", mend=f"write `{key}: [Name, Name]`")


def _title(sections: Sequence[Section]) -> str:
    return next((s.trail[0] for s in sections if s.trail and s.trail[0].strip()), "")


@cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").disable("inline")


def _sections(body: str, *, path: str, first_line: int) -> Iterator[Section]:
    """Sections in file order; text before the first heading is a section with no trail, if there is any."""
    lines, tokens = body.splitlines(), _markdown().parse(body)
    heads = [(i, t) for i, t in enumerate(tokens) if t.type == "heading_open" and t.map and t.level == 0]
    if len(heads) > MOST_HEADINGS:
        raise RunbookIndexError(f"{path}:1: more than {MOST_HEADINGS:,} headings", mend="give each runbook a file")
    starts = [(0, 0, 0, "")] + [(i, t.map[1] if t.map else 0, int(t.tag[1]), tokens[i + 1].content) for i, t in heads]
    trail: list[tuple[int, str]] = []
    for n, (token, line, level, heading) in enumerate(starts):
        end_token, end_line = _start(heads[n]) if n < len(heads) else (None, None)
        text = "\n".join(lines[line:end_line]).strip()
        if level:
            trail = [*(h for h in trail if h[0] < level), (level, heading.strip())]
        if level or text:
            inner = tokens[token:end_token]
            yield Section(
                trail=tuple(h for _, h in trail),
                text=text,
                line=first_line + line - (1 if level else 0),
                steps=tuple(_steps(inner, first_line=first_line)),
                fences=tuple(_fences(inner, first_line=first_line)),
            )


def top_headings(body: str) -> list[tuple[int, int, str]]:
    """Line (from 0), level and text of every heading that stands in no list or quotation."""
    tokens = _markdown().parse(body)
    return [
        (t.map[0], int(t.tag[1]), tokens[n + 1].content.strip())
        for n, t in enumerate(tokens)
        if t.type == "heading_open" and t.map and t.level == 0
    ]


def _start(head: tuple[int, Token]) -> tuple[int, int]:
    """The token and the line (from 0) that a heading begins with."""
    number, token = head
    return number, token.map[0] if token.map else 0


def _steps(tokens: Sequence[Token], *, first_line: int) -> Iterator[Step]:
    """The first paragraph of each top-level list item."""
    for i, token in enumerate(tokens):
        if token.type == "list_item_open" and token.level == 1 and i + 2 < len(tokens):
            inline = tokens[i + 2]
            if inline.type == "inline" and token.map:
                yield Step(" ".join(inline.content.split()), first_line + token.map[0])


def _fences(tokens: Sequence[Token], *, first_line: int) -> Iterator[Fence]:
    for token in tokens:
        if token.type in {"fence", "code_block"} and token.map:
            yield Fence(token.info.strip().lower(), token.content, first_line + token.map[0] + 1)
