"""What Scenario's quality gate found about an asset."""

from datetime import datetime

import strawberry

from gateway.graph.document_type import DocumentType, wire
from gateway.scenario.enums import QualityGateSensitivity, QualityGateStatus, QualityGateVerdict


@strawberry.type(description="Why an asset scored as it did in one respect.")
class QualityGateDimension(DocumentType):
    reasons: list[str] | None = wire("Why it scored as it did.")
    score: float | None = wire("From 0 to 100; higher is better.")
    suggestions: list[str] | None = wire("What would raise the score.")


@strawberry.type(description="What is behind the scores of the quality gate.")
class QualityGateDetails(DocumentType):
    ai_quality: QualityGateDimension | None = wire("How little the asset looks machine-made.")
    brief_compliance: QualityGateDimension | None = wire(
        "How well the asset follows the project's briefs; null when none applies."
    )


@strawberry.type(description="What Scenario's quality gate found; it is computed some time after generation.")
class AssetQualityGate(DocumentType):
    computed_at: datetime | None = wire("When it was computed.")
    status: QualityGateStatus | None = wire("Whether it came to a result.")
    version: str | None = wire("The version of rules and model that judged.")
    ai_quality_score: float | None = wire("How little the asset looks machine-made; higher is better.")
    applied_brief_ids: list[strawberry.ID] | None = wire("The briefs that are applied.")
    brief_compliance_score: float | None = wire(
        "How well the asset follows those briefs; null when none applies, higher is better."
    )
    details: QualityGateDetails | None = wire(
        "Reasons and suggestions; null unless asked for by the project that owns the asset, or when not kept."
    )
    error: str | None = wire("Why scoring failed, shortened; null when it did not.")
    overall_score: float | None = wire("All scores in one, from 0 to 100; null unless scored.")
    sensitivity: QualityGateSensitivity | None = wire("How strictly the verdict is reached.")
    verdict: QualityGateVerdict | None = wire("The judgement; null unless scored.")
