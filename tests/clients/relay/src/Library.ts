import { graphql } from "relay-runtime";

graphql`
  fragment Library_asset on Asset {
    assetId
    kind
    url
    urlExpiresAt
  }
`;

graphql`
  fragment Library_assets on Query
  @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" })
  @refetchable(queryName: "LibraryPageQuery") {
    assets(first: $first, after: $after) @connection(key: "Library_assets") {
      edges { node { ...Library_asset } }
    }
  }
`;

graphql`
  fragment Library_children on Asset
  @argumentDefinitions(first: { type: "Int", defaultValue: 2 }, after: { type: "String" })
  @refetchable(queryName: "LibraryChildrenQuery") {
    children(first: $first, after: $after) @connection(key: "Library_children") {
      edges { node { ...Library_asset } }
    }
  }
`;

graphql`
  query LibraryQuery($scanId: ID!, $filter: AssetFilter) {
    scan(scanId: $scanId) { status assets @required(action: LOG) { isReady } }
    upscaled: assets(filter: $filter) { nodes { ...Library_children } }
    ...Library_assets
  }
`;

graphql`
  mutation LibraryDownloadMutation($input: RequestBatchDownloadInput!) {
    requestBatchDownload(input: $input) { downloadJob { status } userErrors { code message field } }
  }
`;

graphql`
  subscription LibraryDownloadSubscription($jobId: ID!) {
    downloadJobUpdated(jobId: $jobId) { status isFinal downloadUrl }
  }
`;
