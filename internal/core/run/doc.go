// Package run is Cloud Run services: container images that answer requests, as
// revisions under a split of traffic, with tags, conditions and a policy.
//
// Names, limits and defaults are those of google.cloud.run.v2. The APIs that
// speak of services (v2, and v1 in Knative's form) are translations of this
// model; functions share its names.
package run
