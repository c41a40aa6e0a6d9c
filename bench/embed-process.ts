import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadModel } from '@sightline/core'

/** Embeds a folder of JPEGs four times over, in one call, and tells how much memory this process ever held, in MiB. */
const [dir, pictures] = process.argv.slice(2) as [string, string]
const model = await loadModel({ dir, towers: ['image'] })
const jpegs = readdirSync(pictures).map(file => readFileSync(join(pictures, file)))
await model.encodeImages([...jpegs, ...jpegs, ...jpegs, ...jpegs])
await model.close()
process.send!(process.resourceUsage().maxRSS / 1024)
