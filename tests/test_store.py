"""What is kept of a document that came as part of another, and what may be made of one that is kept no more."""

from gateway.cache.document import Document, part_of
from gateway.cache.memory import BoundedMemoryCache
from gateway.cache.store import DocumentStore
from tests.world import Clock


def document_store() -> DocumentStore:
    return DocumentStore(BoundedMemoryCache(100_000), Clock())


def record(fetched_at: float) -> Document:
    return Document("scan", "one", b'{"stages":{}}', fetched_at, 1e12, 1e12)


def stages(of: Document) -> Document:
    return part_of(of, "stages", "one", b"{}")


async def test_a_part_that_is_older_than_what_is_kept_does_not_take_its_place() -> None:
    store, older, newer = document_store(), stages(record(1.0)), stages(record(2.0))
    await store.keep("stages", newer)
    assert store.adopt("stages", older) is older
    assert store.peek("stages") is newer


async def test_a_part_that_is_kept_already_is_not_kept_anew_and_so_is_what_is_made_of_it() -> None:
    store, part = document_store(), stages(record(1.0))
    kept = store.adopt("stages", part)
    assert store.adopt("stages", part) is part
    assert (store.peek("stages") is kept, kept.tenure.is_kept) == (True, True)


async def test_a_part_is_kept_for_itself_whatever_becomes_of_the_whole() -> None:
    store, whole = document_store(), record(1.0)
    await store.keep("scan", whole)
    part = store.adopt("stages", stages(whole))
    await store.drop("scan")
    assert (store.peek("scan"), whole.tenure.is_kept) == (None, False)
    assert (store.peek("stages") is part, part.tenure.is_kept) == (True, True)


async def test_of_a_document_that_was_dropped_nothing_is_kept_any_more_though_it_is_put_there_again() -> None:
    store, document = document_store(), record(1.0)
    await store.keep("scan", document)
    document.keep_fragment("before", b"{}")
    await store.drop("scan")
    await store.keep("scan", document)
    document.keep_fragment("after", b"{}")
    assert (store.peek("scan") is document, document.tenure.is_kept) == (True, False)
    assert "before" in document.made
    assert "after" not in document.made
