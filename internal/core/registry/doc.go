// Package registry keeps container images: repositories with blobs, manifests
// and tags, as the OCI distribution specification (v1.1) describes them. The
// bytes of blobs are in Blobs, everything else is in Store.
//
// A blob belongs to each repository that it was pushed to or mounted into: what
// one may read does not follow from what some other repository has. A manifest
// is taken when everything that it names is there, so that what can be pulled
// can be pulled whole.
//
// What nobody needs is collected while the registry serves: see Collect.
package registry
