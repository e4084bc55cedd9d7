// Package appengine is App Engine's own rules: applications, services and
// versions, and what they mean in terms of the serving core.
//
// A version becomes one core revision per deploy. CreateVersion checks all that
// can be checked before anything is built, stores the version together with an
// operation and a sunya.Deployment, and leaves the rest to the deploy runner,
// which calls Admin.Finish or Admin.Fail at the end. A version that is deployed
// again keeps serving as it was until the new revision is ready.
package appengine
