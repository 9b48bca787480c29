/** The tabs that a first visit opens with: lines of at most 50 characters, which a small window shows whole. */

/** What the gateway writes into the page: ids that it can answer for, where it knows any. */
export type Gateway = { scanId?: string; liveScanId?: string; assetIds?: string[] };

export type Example = { query: string; variables: string };

const JOIN = /* GraphQL */ `# One request, two sources: a scan's stages and
# files from Prism, 250 assets from Scenario.
query Join($scanId: ID!) {
  scan(scanId: $scanId) {
    status
    assets {
      isReady
      captureData { status updatedAt }
      body { status }
      fittedBody { status }
      measurement { status }
    }
    assetUrls {
      previewImage model texture expiresAt
    }
  }
  assets(first: 250) {
    nodes { assetId kind mimeType url }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const PAGE = /* GraphQL */ `# Filtered, newest first. For the next page, put
# the answer's endCursor into the variable after.
query Page($filter: AssetFilter, $after: String) {
  assets(
    first: 20
    after: $after
    filter: $filter
    sort: { field: CREATED_AT, direction: DESC }
  ) {
    nodes {
      assetId
      kind
      createdAt
      url
      urlExpiresAt
    }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const DOWNLOAD = /* GraphQL */ `# Ask for one archive of these assets. The next
# tab follows the job that answers.
mutation Download($assetIds: [ID!]!) {
  requestBatchDownload(
    input: { assetIds: $assetIds }
  ) {
    downloadJob { jobId status }
    userErrors { code message field }
  }
}
`;

const LIVE_DOWNLOAD = /* GraphQL */ `# Put a jobId into the variable: the job as it is,
# then after each change, until it is final.
subscription LiveDownload($jobId: ID!) {
  downloadJobUpdated(jobId: $jobId) {
    jobId
    status
    isFinal
    downloadUrl
    downloadUrlExpiresAt
  }
}
`;

const LIVE_SCAN = /* GraphQL */ `# The scan as it is, then as it is after each
# change, until it can change no more.
subscription LiveScan($scanId: ID!) {
  scanUpdated(scanId: $scanId) {
    status
    assets {
      isFinal
      captureData { status updatedAt }
      body { status updatedAt }
      fittedBody { status updatedAt }
      measurement { status updatedAt }
    }
    assetUrls { model expiresAt }
  }
}
`;

export function examples(gateway: Gateway): [Example, ...Example[]] {
  const { scanId = "", liveScanId = "", assetIds = [] } = gateway;
  return [
    example(JOIN, { scanId }),
    example(PAGE, { filter: { createdAfter: "2020-01-01T00:00:00Z" }, after: null }),
    example(DOWNLOAD, { assetIds }),
    example(LIVE_DOWNLOAD, { jobId: "" }),
    example(LIVE_SCAN, { scanId: liveScanId }),
  ];
}

function example(query: string, variables: object): Example {
  return { query, variables: JSON.stringify(variables, null, 2) };
}
