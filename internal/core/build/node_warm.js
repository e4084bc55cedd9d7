// Loads the packages that package.json names, so that Node.js keeps what it has
// compiled of them (NODE_COMPILE_CACHE). What does not load is left out.
const load = require('module').createRequire(process.cwd() + '/')
process.on('uncaughtException', () => {})
process.on('unhandledRejection', () => {})
;(async () => {
  for (const name of Object.keys(load('./package.json').dependencies || {})) {
    try {
      load(name)
    } catch {
      try {
        await import(load.resolve(name))
      } catch {}
    }
  }
  process.exit(0)
})()
