// Keeps the addresses that it finds for its post step, as an action does with a client's options.
import { appendFileSync } from "node:fs";

const { GHSWARM_API_URL = "", GH_CONFIG_DIR = "", GITHUB_STATE } = process.env;
appendFileSync(GITHUB_STATE, `api_url=${GHSWARM_API_URL}\nconfig_dir=${GH_CONFIG_DIR}\n`);
console.log(`the main step finds ${GHSWARM_API_URL}`);
