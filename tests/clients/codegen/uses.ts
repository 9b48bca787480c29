// What a frontend writes with the generated types; a line below each @ts-expect-error must not compile.
import type { DownloadMutationVariables, FollowSubscription, JoinQuery, JoinQueryVariables } from "./operations";

export const join: JoinQueryVariables = { scanId: "scan", first: 250, filter: { types: ["UPSCALE"] } };
export const download: DownloadMutationVariables = { input: { assetId: "asset", targetFormat: "WEBP" } };

export function files({ scan, assets }: JoinQuery): string[] {
  const urls = assets?.nodes.map(({ url }) => url) ?? [];
  return [scan?.assetUrls?.model, ...urls].filter((url) => url != null);
}

export function isReady({ scan }: JoinQuery): boolean {
  // @ts-expect-error: the stages are null until capture begins
  return scan?.assets.isReady;
}

export function archive({ downloadJobUpdated: job }: FollowSubscription): string | null {
  // @ts-expect-error: no such status
  if (job.status === "DONE") return null;
  return job.isFinal ? job.downloadUrl : null;
}
