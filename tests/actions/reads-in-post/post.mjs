// Reads over the base URL, and with gh over the socket.
import { execFileSync } from "node:child_process";

const { INPUT_TOKEN: token, STATE_api_url, STATE_config_dir } = process.env;
const path = "repos/octo-org/hello/issues/1";
const headers = { authorization: `Bearer ${token}` };
const answer = await fetch(`${STATE_api_url}/${path}`, { headers });
const { title } = await answer.json();
console.log(`the post step reads over TCP: ${answer.status} ${title}`);
const env = { ...process.env, GH_CONFIG_DIR: STATE_config_dir, GH_TOKEN: token };
const over_socket = execFileSync("gh", ["api", path, "--jq", ".title"], { env, encoding: "utf8" });
console.log(`the post step reads with gh: ${over_socket.trim()}`);
