// Reads with the octokit that Probot hands to an app; Probot itself reads GHE_HOST and GHE_PROTOCOL.
// Prints what it got.
import { createProbot } from "probot";

const probot = createProbot({
  overrides: { githubToken: process.env.GITHUB_TOKEN, logLevel: "error" },
});
const octokit = await probot.auth();
const repo = { owner: "octo-org", repo: "app" };
const { rest } = octokit;
const { viewer } = await octokit.graphql("query { viewer { login } }");

console.log(
  JSON.stringify({
    repository: (await rest.repos.get(repo)).data,
    issues: await octokit.paginate(rest.issues.listForRepo, { ...repo, state: "all", per_page: 50 }),
    runs: await octokit.paginate(rest.actions.listWorkflowRunsForRepo, { ...repo, per_page: 30 }),
    login: viewer.login,
  }),
);
