"""Holds a document against the schema, by those of GraphQL's rules that could find anything in it.

A rule costs what it takes to ask it about each node, whether it finds anything or not. Most look at what many documents
do not have, such as variables, fragments and directives; that shows in their text.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OverlappingFieldsCanBeMergedRule,
    ParallelVisitor,
    ValidationContext,
    specified_rules,
    validate,
    validation,
)
from graphql.pyutils import RefMap
from graphql.validation import ASTValidationRule, NoSchemaIntrospectionCustomRule
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gateway.limits import Measured

MAX_ERRORS = 10
MAX_TOKENS_SUGGESTED = 300  # for which a document is looked at once more

Rule = type[ASTValidationRule]
RULES: tuple[Rule, ...] = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
SUGGESTING: tuple[Rule, ...] = (  # which takes up to five milliseconds a name
    validation.FieldsOnCorrectTypeRule,
    validation.KnownArgumentNamesRule,
    validation.KnownTypeNamesRule,
    validation.ValuesOfCorrectTypeRule,
)
_ONE_OPERATION = {validation.UniqueOperationNamesRule, validation.LoneAnonymousOperationRule}
_FRAGMENTS, _VARIABLES, _DIRECTIVES, _ARGUMENTS = ("...", "fragment"), ("$",), ("@",), ("(",)
# What a text holds that has anything for a rule: one of these. Other rules look at every document.
_MARKS: Mapping[Rule, tuple[str, ...]] = {
    validation.KnownTypeNamesRule: (*_FRAGMENTS, *_VARIABLES),
    validation.SingleFieldSubscriptionsRule: ("subscription",),
    validation.MaxIntrospectionDepthRule: ("__schema", "__type"),
    **dict.fromkeys(
        (
            validation.FragmentsOnCompositeTypesRule,
            validation.KnownFragmentNamesRule,
            validation.NoFragmentCyclesRule,
            validation.NoUnusedFragmentsRule,
            validation.PossibleFragmentSpreadsRule,
            validation.UniqueFragmentNamesRule,
        ),
        _FRAGMENTS,
    ),
    **dict.fromkeys(
        (
            validation.NoUndefinedVariablesRule,
            validation.NoUnusedVariablesRule,
            validation.UniqueVariableNamesRule,
            validation.VariablesAreInputTypesRule,
            validation.VariablesInAllowedPositionRule,
        ),
        _VARIABLES,
    ),
    **dict.fromkeys(
        (
            validation.DeferStreamDirectiveLabel,
            validation.DeferStreamDirectiveOnRootField,
            validation.DeferStreamDirectiveOnValidOperationsRule,
            validation.KnownDirectivesRule,
            validation.StreamDirectiveOnListField,
            validation.UniqueDirectivesPerLocationRule,
        ),
        _DIRECTIVES,
    ),
    **dict.fromkeys(
        (
            validation.KnownArgumentNamesRule,
            validation.UniqueArgumentNamesRule,
            validation.UniqueInputFieldNamesRule,
            validation.ValuesOfCorrectTypeRule,
            MaybeNullValidationRule,
            OneOfInputValidationRule,
        ),
        _ARGUMENTS,
    ),
}


def find_errors(
    schema: GraphQLSchema, text: str, measured: Measured, *, introspects: bool, suggests: bool, stock: bool = False
) -> list[GraphQLError]:
    """Give what is wrong with a document, at most so much.

    Where it is one thing, in a document that is not long, what may have been meant is told. `stock` takes graphql-core
    as it is, with every rule.
    """
    rules = list(RULES if stock else _rules(text, measured))
    if not introspects:
        rules.append(NoSchemaIntrospectionCustomRule)
    if stock:
        errors = validate(schema, measured.document, rules, MAX_ERRORS, hide_suggestions=True)
    else:
        errors = _validate(schema, measured.document, rules, suggests=False)
    if suggests and len(errors) == 1 and measured.document.token_count <= MAX_TOKENS_SUGGESTED:
        return _validate(schema, measured.document, SUGGESTING, suggests=True) or errors
    return errors


def _validate(
    schema: GraphQLSchema, document: DocumentNode, rules: Iterable[Rule], *, suggests: bool
) -> list[GraphQLError]:
    def visitor(context: ValidationContext) -> ParallelVisitor:
        own = _Context(context)
        return ParallelVisitor([rule(own) for rule in rules])

    visitors: list[Any] = [visitor]  # which are called as rules are
    return validate(schema, document, visitors, MAX_ERRORS, hide_suggestions=not suggests)


class _Context(ValidationContext):
    """What rules know of a document, where nodes are not looked up by all that is in them, which takes long to hash."""

    def __init__(self, context: ValidationContext) -> None:
        vars(self).update(vars(context))
        self._fragment_spreads: Any = RefMap()
        self._recursively_referenced_fragments: Any = RefMap()
        self._variable_usages: Any = RefMap()
        self._recursive_variable_usages: Any = RefMap()


def _rules(text: str, measured: Measured) -> Iterator[Rule]:
    """Give the rules that could find anything in a document, in their order."""
    definitions = measured.document.definitions
    if not all(isinstance(definition, ExecutableDefinitionNode) for definition in definitions):
        yield from RULES  # which are made for what stands in a schema, too
        return
    for rule in RULES:
        marks = _MARKS.get(rule)
        if marks is not None and not any(mark in text for mark in marks):
            continue
        if rule is OverlappingFieldsCanBeMergedRule and not measured.merges:
            continue
        if rule not in _ONE_OPERATION or len(definitions) > 1:
            yield rule
