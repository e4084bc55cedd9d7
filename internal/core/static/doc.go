// Package static keeps and serves the static files of revisions, so that no
// instance has to.
//
// The files of one revision are a site: a layer that holds every content once,
// named by its hash, with its compressed forms beside it, and an index from the
// files' paths to them. A request only ever looks a path up in the index; what
// is opened is named by the platform, so no path leads anywhere else.
//
//	index.json        path -> content
//	files/SUM         the content
//	files/SUM.gz      the same for clients that accept gzip
//	files/SUM.br      and Brotli
package static
