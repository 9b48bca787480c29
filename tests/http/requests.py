"""Requests as they stand on the wire."""

from typing import Any

import msgspec

GRAPHQL = b"accept: application/graphql-response+json\r\n"


def post(body: Any, headers: bytes = b"", target: bytes = b"/graphql", version: bytes = b"1.1") -> bytes:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    head = b"POST %s HTTP/%s\r\nhost: gateway.test\r\ncontent-type: application/json\r\n" % (target, version)
    return head + headers + b"content-length: %d\r\n\r\n" % len(content) + content


def get(target: bytes, headers: bytes = GRAPHQL) -> bytes:
    return b"GET %s HTTP/1.1\r\nhost: gateway.test\r\n%s\r\n" % (target, headers)
