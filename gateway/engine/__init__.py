"""How a query becomes bytes.

engine.py takes it along this path:

    text ── operations.py ──▶ its operations: parsed, limited and validated once (admission.py), found by it ever after
     ▼
    operation ── answers.py ──▶ asked before with these variables: the same bytes, while every document in them is the
     ▼                          one that is kept, and fresh
    variables ── execution.py ──▶ coerced, and paid for by what they may cause (cost.py)
     ▼
    plan ── compiler.py ──▶ made once for each choice by @skip and @include, and of what is forbidden (rights.py)
     ▼
    resolvers ── plan.py ──▶ called (calling.py), beside each other; they return documents, or promises
     ▼
    documents ── projection.py ──▶ the selected fields (columns.py, structs.py), read in C, encoded once, kept with it
     ▼
    data, errors ── answer.py ──▶ bytes

and beside it:

    __schema, __type ── introspection.py ──▶ plain functions over graphql-core's types; disclosure.py has counted before
    subscription ── subscriptions.py ──▶ each event of its source is the root of one execution, for all who ask the same
    @defer, @stream ── incremental.py ──▶ parts, executed by graphql-core, and written in parts.py as clients read them

What a plan does not handle leaves it, and graphql-core (executor.py) answers with the same context, so nothing is
fetched twice.
"""
