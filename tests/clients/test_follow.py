"""The clients that frontends use ask, change and follow, each by its own protocol."""

from tests.clients.conftest import Node

CLIENTS = ["graphql-ws", "graphql-sse", "Apollo Client, multipart", "Apollo Client, WebSocket", "urql"]


async def test_every_client_follows_a_download_that_it_requested_to_its_end(url: str, node: Node) -> None:
    courses = await node("follow.mjs", url)
    ends = {client: (course[0], *course[-2:]) for client, course in courses.items()}
    assert ends == dict.fromkeys(CLIENTS, ("PENDING", "SUCCESS", "complete"))
