// Runs the steps in STEPS with GitHub's own client of the Actions cache, and prints what each came to.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const { restoreCache, saveCache } = await import(pathToFileURL(process.env.CLIENT).href)
const FILE = 'payload'
const digest = () => createHash('sha256').update(readFileSync(FILE)).digest('hex')

const results = []
const saved = new Map()
for (const step of JSON.parse(process.env.STEPS)) {
  if (step.save) {
    writeFileSync(FILE, randomBytes(step.bytes))
    results.push(await saveCache([FILE], step.save))
    saved.set(step.save, digest())
  } else {
    rmSync(FILE, { force: true })
    const options = { lookupOnly: step.lookupOnly }
    const key = await restoreCache([FILE], step.restore, step.restoreKeys, options)
    const differs = step.same && digest() !== saved.get(key)
    results.push(differs ? 'other bytes' : (key ?? null))
  }
}
console.log(`\nRESULT ${JSON.stringify(results)}`)
