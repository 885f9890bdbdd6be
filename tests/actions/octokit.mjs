// Reads the job's repository and a list of it with @octokit/rest, over the base URL that the job exported.
import { Octokit } from "@octokit/rest";

const octokit = new Octokit({ baseUrl: process.env.GHSWARM_API_URL, auth: process.env.GH_TOKEN });
const [owner, repo] = process.env.GITHUB_REPOSITORY.split("/");
const { data } = await octokit.rest.repos.get({ owner, repo });
console.log(`octokit reads ${data.full_name}`);
for (let time = 1; time <= 5; time++) {
  const list = { owner, repo, as: `octokit${time}` };
  const labels = await octokit.request("GET /repos/{owner}/{repo}/labels", list);
  console.log(`octokit reads ${labels.data.length} labels`);
}
