// Whether what was asked of GraphQL, a body a line in the file that is named, is in order by GitHub's own schema.

import { readFileSync } from "node:fs";
import { buildASTSchema, parse, validate } from "graphql";
import { getVariableValues } from "graphql/execution/values.js";

const file = new URL("node_modules/@octokit/graphql-schema/schema.graphql", import.meta.url);
// It has a field twice, which is nobody's request.
const schema = buildASTSchema(parse(readFileSync(file, "utf8")), { assumeValid: true, assumeValidSDL: true });

function wrong({ query, variables }) {
  const document = parse(query);
  const errors = validate(schema, document);
  if (errors.length > 0) return errors;
  const operation = document.definitions.find((one) => one.kind === "OperationDefinition");
  return getVariableValues(schema, operation.variableDefinitions ?? [], variables ?? {}).errors ?? [];
}

// What is wrong is seen.
const bad = [
  { query: "query { noSuchField }" },
  { query: "mutation($id: ID!) { markPullRequestReadyForReview(input: { id: $id }) { clientMutationId } }" },
  { query: "query($id: ID!) { node(id: $id) { id } }", variables: {} },
];
if (bad.some((one) => wrong(one).length === 0)) throw new Error("a bad question is taken for a good one");

const asked = new Set(readFileSync(process.argv[2], "utf8").split("\n").filter(Boolean));
const complaints = [...asked].flatMap((line) => wrong(JSON.parse(line)).map((error) => `${error.message}: ${line}`));
for (const complaint of complaints) console.error(complaint);
console.log(`${asked.size} questions of GraphQL were judged`);
process.exit(complaints.length > 0 || asked.size === 0 ? 1 : 0);
