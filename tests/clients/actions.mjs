// Reads as an action does, with @actions/github; the address comes from GITHUB_API_URL, or is given
// to getOctokit when BASE_URL is set. Prints what it got.
import { getOctokit } from "@actions/github";

const options = process.env.BASE_URL ? { baseUrl: process.env.BASE_URL } : {};
const octokit = getOctokit(process.env.GITHUB_TOKEN, options);
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
