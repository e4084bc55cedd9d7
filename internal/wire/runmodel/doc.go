// Package runmodel translates the messages of google.cloud.run.v2 to the nouns
// of core/run and back. The APIs that speak of services share it: v2 itself, and
// v1, whose Knative form is turned into v2's messages first.
package runmodel
