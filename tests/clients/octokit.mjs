// Reads one object and three long lists with @octokit/rest, and prints what it got.
import { Octokit } from "@octokit/rest";

const octokit = new Octokit({ baseUrl: process.env.API_URL, auth: process.env.GITHUB_TOKEN });
const repo = { owner: "octo-org", repo: "app" };
const { rest } = octokit;

console.log(
  JSON.stringify({
    repository: (await rest.repos.get(repo)).data,
    issues: await octokit.paginate(rest.issues.listForRepo, { ...repo, state: "all", per_page: 50 }),
    commits: await octokit.paginate(rest.repos.listCommits, { ...repo, per_page: 20 }),
    runs: await octokit.paginate(rest.actions.listWorkflowRunsForRepo, { ...repo, per_page: 30 }),
  }),
);
