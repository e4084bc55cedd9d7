// Package cloudbuild runs builds as Cloud Build does: a source, steps that are
// containers, images that come out. Steps that are Google's builders of images
// (docker, pack) are not fetched: what they do is done by the builders here.
package cloudbuild
