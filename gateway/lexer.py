"""Reads a document's tokens: counted before anything is made of them, and each found by one regular expression.

graphql-core's lexer looks at each character, so its time is the document's length. What is no token here is left to it,
and so is what to say of that.
"""

import json
import re

from graphql import DocumentNode, Lexer, Source, Token, TokenKind
from graphql.language.block_string import dedent_block_string_lines
from graphql.language.parser import Parser, nested_too_deeply_error

_BLANK = r"[ \t,\ufeff\r\n]*+"
_NAME = r"[A-Z_a-z][0-9A-Z_a-z]*+"
_PUNCTUATOR = r"[!$&():=@\[\]{|}]|\.\.\."
_COMMENT = r"#[^\r\n]*+"
_NUMBER = r"-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[Ee][+-]?+[0-9]++)?+(?![.0-9A-Z_a-z])"
_STRING = r'"(?!"")(?:[^"\\\r\n]++|\\[^\r\n])*+"'
_BLOCK_STRING = r'"""(?:[^"\\]++|\\(?:""")?+|"(?!""))*+"""'
_GROUPS = _NAME, _PUNCTUATOR, _COMMENT, _NUMBER, _BLOCK_STRING, _STRING, r"[\s\S]"
NAME, PUNCTUATOR, COMMENT, NUMBER, BLOCK_STRING, STRING, NO_TOKEN = range(1, len(_GROUPS) + 1)
_TOKEN = re.compile(rf"{_BLANK}(?:{'|'.join(f'({group})' for group in _GROUPS)}|\Z)")
_LINE_END = re.compile(r"\r\n|\n|\r")
SURROGATE = re.compile(r"[\ud800-\udfff]")  # half a character, which JSON may hold and UTF-8 may not
_KINDS = {kind.value: kind for kind in TokenKind}


def parse(text: str) -> DocumentNode:
    """Parse a document, as graphql-core does. Raises GraphQLSyntaxError."""
    source = Source(text)
    is_plain = text.isascii() or SURROGATE.search(text) is None  # what else there is, graphql-core refuses
    parser = Parser(source, lexer=(TextLexer if is_plain else Lexer)(source))
    try:
        document = parser.parse_document()
    except RecursionError:
        pass
    else:
        _unlink(document)
        return document
    raise nested_too_deeply_error(parser)


def _unlink(document: DocumentNode) -> None:
    """Let tokens hold no others, so that all goes with the document, and nothing waits for the garbage collector."""
    token: Token | None = document.loc.start_token if document.loc else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following


def has_more_than(text: str, most: int) -> bool:
    """Whether a text has more tokens, or more comments; each line of a block string is taken for a token.

    Nothing is read after the first too many, nor after what is no token.
    """
    tokens = comments = 0
    for found in _TOKEN.finditer(text):
        kind = found.lastindex
        if kind is None or kind == NO_TOKEN:
            return False
        if kind == COMMENT:
            comments += 1
        else:
            tokens += 1 if kind != BLOCK_STRING else _lines(found[kind])
        if tokens > most or comments > most:
            return True
    return False


def _lines(text: str) -> int:
    return 1 + text.count("\n") + text.count("\r") - text.count("\r\n")


class TextLexer(Lexer):
    """Gives the same tokens as graphql-core's own lexer, for a text without half characters."""

    def read_next_token(self, start: int) -> Token:
        """Give the token at a place, or after the blanks there. Raises GraphQLSyntaxError."""
        body = self.source.body
        found = _TOKEN.match(body, start)
        if found is None or (kind := found.lastindex) is None:
            return super().read_next_token(start)
        begin, end = found.span(kind)
        if begin > start and ("\n" in (blank := body[start:begin]) or "\r" in blank):
            self._pass_lines(start, begin)
        if kind == NAME:
            return Token(TokenKind.NAME, begin, end, self.line, 1 + begin - self.line_start, found[kind])
        if kind == PUNCTUATOR:
            return Token(_KINDS[found[kind]], begin, end, self.line, 1 + begin - self.line_start)
        return self._token(kind, begin, end, found[kind]) or super().read_next_token(begin)

    def _token(self, kind: int, begin: int, end: int, text: str) -> Token | None:
        """Give one of those that are fewer; None for what only graphql-core can read, or knows what is wrong with."""
        if kind == COMMENT:
            return self.create_token(TokenKind.COMMENT, begin, end, text[1:])
        if kind == NUMBER:
            is_float = not text.removeprefix("-").isdigit()
            return self.create_token(TokenKind.FLOAT if is_float else TokenKind.INT, begin, end, text)
        if kind == STRING:
            value = _unescaped(text)
            return None if value is None else self.create_token(TokenKind.STRING, begin, end, value)
        return self._block_string(begin, end, text) if kind == BLOCK_STRING else None

    def _block_string(self, begin: int, end: int, text: str) -> Token:
        lines = _LINE_END.split(text[3:-3].replace('\\"""', '"""'))
        token = self.create_token(TokenKind.BLOCK_STRING, begin, end, "\n".join(dedent_block_string_lines(lines)))
        self._pass_lines(begin, end)
        return token

    def _pass_lines(self, start: int, end: int) -> None:
        for found in _LINE_END.finditer(self.source.body, start, end):
            self.line += 1
            self.line_start = found.end()


def _unescaped(text: str) -> str | None:
    """Give the value of a string in its quotes; None where it has an escape that JSON does not have."""
    if "\\" not in text:
        return text[1:-1]
    try:
        value: str = json.loads(text, strict=False)
    except ValueError:
        return None
    return value if SURROGATE.search(value) is None else None
