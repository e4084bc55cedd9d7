// Package runv1 is Cloud Run's first API, in the form of Knative: the one that
// gcloud run and the YAML files of services speak. It turns that form into the
// messages of google.cloud.run.v2, whose fields its annotations stand for, and
// leaves what they mean to wire/runmodel and the core.
//
// Plain handlers over the JSON types of google.golang.org/api/run/v1. Every
// resource is reached in two ways: under a namespace, which is a project, of the
// region that the host names (us-central1-run.api.DOMAIN), and under
// projects/P/locations/L.
package runv1
