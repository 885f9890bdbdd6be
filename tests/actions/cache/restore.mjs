// What actions/cache/restore does with its inputs and outputs.
import { cache, core, crossOs, key, paths } from "./service.mjs";

if (!cache.isFeatureAvailable()) {
  core.setOutput("cache-hit", "false");
} else {
  try {
    const more = core.getMultilineInput("restore-keys");
    const lookupOnly = core.getInput("lookup-only") === "true";
    const matched = await cache.restoreCache(paths(), key(), more, { lookupOnly }, crossOs());
    core.setOutput("cache-primary-key", key());
    if (matched) {
      core.setOutput("cache-hit", String(matched === key()));
      core.setOutput("cache-matched-key", matched);
      core.info(`Cache restored from key: ${matched}`);
    } else {
      core.info(`Cache not found for input keys: ${[key(), ...more].join(", ")}`);
    }
  } catch (error) {
    core.setFailed(error.message);
  }
}
// As there: nothing that is still open holds the step up.
process.exit();
