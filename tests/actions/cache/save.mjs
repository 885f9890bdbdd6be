// What actions/cache/save does with its inputs: a failure is a warning.
import { cache, core, crossOs, key, paths } from "./service.mjs";

if (cache.isFeatureAvailable()) {
  try {
    const id = await cache.saveCache(paths(), key(), {}, crossOs());
    if (id === -1) core.warning("Cache save failed.");
    else core.info(`Cache saved with key: ${key()}`);
  } catch (error) {
    core.warning(error.message);
  }
}
process.exit();
