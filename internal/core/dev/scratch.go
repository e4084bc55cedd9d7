package dev

import (
	"regexp"
)

// scratchRE matches what editors leave beside the files that they edit, and
// what version control does for itself.
var scratchRE = regexp.MustCompile(`(^|/)(\.git|\.hg|\.svn)(/|$)|(^|/)(4913|\.#[^/]*|#[^/]*#|[^/]*~|\.[^/]*\.sw[a-z]|[^/]*___jb_(tmp|old)___)$`)

// Scratch reports whether a slash-separated path is nobody's source, whatever
// the rules of the directory say: a swap file, a backup, a lock.
func Scratch(path string) bool { return scratchRE.MatchString(path) }
