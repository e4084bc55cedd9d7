// Package functions is Cloud Functions of the second generation: one function of
// a source becomes a service of the core, which answers HTTP requests and events
// through its language's functions framework.
//
// Names, limits and defaults are those of google.cloud.functions.v2. A function
// and the service of the same name in its location are one thing, as at Google,
// where the function's service is a Cloud Run service.
package functions
