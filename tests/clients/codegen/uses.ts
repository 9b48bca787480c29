// What a frontend with Apollo Client writes; the line below each @ts-expect-error must not compile.
import { ApolloClient, HttpLink, InMemoryCache } from "@apollo/client";
import { type FragmentType, graphql, useFragment as read } from "./client";

const client = new ApolloClient({ cache: new InMemoryCache(), link: new HttpLink({ uri: "/graphql" }) });

const File = graphql(`fragment File on Asset { assetId kind url }`);
const Join = graphql(`
  query Join($scanId: ID!, $first: Int!, $filter: AssetFilter) {
    scan(scanId: $scanId) { status assets { isReady } assetUrls { model expiresAt } }
    assets(first: $first, filter: $filter) { nodes { ...File } pageInfo { hasNextPage endCursor } }
  }
`);
const Download = graphql(`
  mutation Download($input: RequestAssetDownloadInput!) {
    requestAssetDownload(input: $input) { download { url } userErrors { code message field } }
  }
`);
const Follow = graphql(`
  subscription Follow($jobId: ID!) { downloadJobUpdated(jobId: $jobId) { status isFinal downloadUrl } }
`);

export async function join(scanId: string) {
  const variables = { scanId, first: 250, filter: { types: ["UPSCALE" as const] } };
  const { data } = await client.query({ query: Join, variables });
  // @ts-expect-error: the stages are null until capture begins
  const isReady = data?.scan?.assets.isReady;
  return { isReady, files: data?.assets?.nodes.map(nameOf) };
}

function nameOf(asset: FragmentType<typeof File>): string {
  const { assetId, url } = read(File, asset);
  return url ?? assetId;
}

export async function download(assetId: string): Promise<string | undefined> {
  const { data } = await client.mutate({ mutation: Download, variables: { input: { assetId, targetFormat: "WEBP" } } });
  return data?.requestAssetDownload?.download?.url;
}

export function follow(jobId: string, done: (url: string | null) => void) {
  return client.subscribe({ query: Follow, variables: { jobId } }).subscribe(({ data }) => {
    // @ts-expect-error: no such status
    if (data?.downloadJobUpdated.status === "DONE") return;
    if (data?.downloadJobUpdated.isFinal) done(data.downloadJobUpdated.downloadUrl);
  });
}
