/** The tabs that a first visit opens with. */

/** What the gateway writes into the page: ids that it can answer for, where it knows any. */
export type Gateway = { scanId?: string; assetId?: string };

export type Example = { query: string; variables: string };

const JOIN = /* GraphQL */ `# One request, two sources: a scan's stages and signed
# URLs from Prism, and 250 assets from Scenario.
query Join($scanId: ID!) {
  scan(scanId: $scanId) {
    scanId
    assets {
      isReady
      captureData { status updatedAt }
      body { status }
      fittedBody { status }
      measurement { status }
    }
    assetUrls { previewImage model texture expiresAt }
  }
  assets(first: 250) {
    nodes { assetId kind mimeType url urlExpiresAt }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const PAGE = /* GraphQL */ `# Filtered and newest first. For the next page, put
# endCursor into the variable "after".
query Page($filter: AssetFilter, $after: String) {
  assets(
    first: 20
    after: $after
    filter: $filter
    sort: { field: CREATED_AT, direction: DESC }
  ) {
    nodes { assetId kind createdAt url urlExpiresAt }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const DOWNLOAD = /* GraphQL */ `# 1. Ask for one archive of these assets.
mutation Download($assetIds: [ID!]!) {
  requestBatchDownload(input: { assetIds: $assetIds }) {
    downloadJob { jobId status }
    userErrors { code message field }
  }
}

# 2. Put the answer's jobId into the variable, and ask
# until isFinal is true.
query DownloadJob($jobId: ID!) {
  downloadJob(jobId: $jobId) {
    status
    isFinal
    downloadUrl
    downloadUrlExpiresAt
  }
}
`;

export function examples({ scanId, assetId }: Gateway): [Example, ...Example[]] {
  return [
    example(JOIN, { scanId: scanId ?? "" }),
    example(PAGE, { filter: { createdAfter: "2020-01-01T00:00:00Z" }, after: null }),
    example(DOWNLOAD, { assetIds: assetId === undefined ? [] : [assetId], jobId: "" }),
  ];
}

function example(query: string, variables: object): Example {
  return { query, variables: JSON.stringify(variables, null, 2) };
}
