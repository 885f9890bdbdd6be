// The official client of the cache service, as a runner gives it to an action: the service's address and the job's
// token are known to node actions and not to `run:` steps, so they come from a file beside this one.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const here = new URL("service.json", import.meta.url);
const { modules, results_url, token } = JSON.parse(readFileSync(here, "utf8"));

if (results_url) {
  process.env.ACTIONS_CACHE_SERVICE_V2 = "True";
  process.env.ACTIONS_RESULTS_URL = results_url;
  process.env.ACTIONS_RUNTIME_TOKEN = token;
}

const load = (path) => import(pathToFileURL(`${modules}/${path}`));
export const core = await load("@actions/core/lib/core.js");
export const cache = await load("@actions/cache/lib/cache.js");

export const paths = () => core.getMultilineInput("path", { required: true });
export const key = () => core.getInput("key", { required: true });
export const crossOs = () => core.getBooleanInput("enableCrossOsArchive");
