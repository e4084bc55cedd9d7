// Package sunya holds the nouns of the platform: the things that exist, their
// names, units and errors. It imports the standard library only, and every
// other package imports it.
//
// A Service has immutable Revisions and a Traffic split over them. A revision
// is an Image plus a configuration; its Instances come and go with demand. A
// Host is a name under which the gateway finds a service. A Deployment is the
// resumable work that turns source into a serving revision, and an Operation
// is what a client waits for. An Error that crosses an API has a Code, which
// says what its caller can do.
//
// The layers, from the outside in:
//
//	cmd/sunya -> internal/cli -> internal/node -> {internal/wire, internal/adapt} -> internal/core -> sunya
package sunya
