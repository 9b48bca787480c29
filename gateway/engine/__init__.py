"""How a query becomes bytes.

    text ── operations.py ──▶ parsed, validated and planned once, found by its text ever after
    asked before ── answers.py ──▶ the same bytes, while every document in them is the one that is kept, and fresh
    variables ── execution.py ──▶ coerced and paid for; those that steer @skip and @include choose the plan
    plan ── plan.py ──▶ resolvers are called (calling.py), beside each other; they return documents, or promises
    document ── projection.py ──▶ the selected fields (columns.py, structs.py), read in C, encoded once and kept with it
    __schema, __type ── introspection.py ──▶ plain functions over graphql-core's types; disclosure.py counts first
    subscription ── subscriptions.py ──▶ each event of its source is the root of one execution, for all who ask the same
    @defer, @stream ── incremental.py ──▶ parts, executed by graphql-core, and written in parts.py as clients read them
    answer ── engine.py ──▶ bytes

What a plan does not handle leaves it, and graphql-core answers with the same context, so nothing is fetched twice.
"""
