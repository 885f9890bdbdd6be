// Reads as a script in actions/github-script does: its octokit, built with its plugins and inputs, in
// the versions that its release v8 pins. Prints what it got.
import { getOctokit } from "github-script-github";
import { defaults } from "github-script-github/lib/utils.js";
import { requestLog } from "github-script-request-log";
import { retry } from "github-script-retry";

// The action's inputs `retries`, `retry-exempt-status-codes` and `base-url`.
const options = {
  retry: { enabled: true, doNotRetry: [400, 401, 403, 404, 422] },
  request: { ...defaults.request, retries: 3 },
};
if (process.env.BASE_URL) options.baseUrl = process.env.BASE_URL;
const github = getOctokit(process.env.GITHUB_TOKEN, options, retry, requestLog);
const repo = { owner: "octo-org", repo: "app" };
const { rest } = github;
const { viewer } = await github.graphql("query { viewer { login } }");

console.log(
  JSON.stringify({
    repository: (await rest.repos.get(repo)).data,
    issues: await github.paginate(rest.issues.listForRepo, { ...repo, state: "all", per_page: 50 }),
    runs: await github.paginate(rest.actions.listWorkflowRunsForRepo, { ...repo, per_page: 30 }),
    login: viewer.login,
  }),
);
