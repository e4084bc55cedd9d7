// Package detect reads a source tree and says how it is built: which manifest
// counts, what belongs to the cache key, how the program is started. One
// language a file; nothing is run and nothing is written.
package detect
