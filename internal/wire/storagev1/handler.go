// Package storagev1 speaks the part of Cloud Storage's JSON API that deploys
// and the official clients' everyday calls need: buckets (insert, get, list,
// patch, delete), objects (insert in all three upload types, get, list, patch,
// delete) and downloads. What is missing answers UNIMPLEMENTED with its name.
//
// The API has no annotated protos, so these are plain handlers over the public
// JSON types of google.golang.org/api/storage/v1.
package storagev1

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// Prefixes are the paths of the JSON API.
func Prefixes() []string {
	return []string{
		"/storage/v1/", "/upload/storage/v1/", "/resumable/upload/storage/v1/",
		"/download/storage/v1/", BatchPath, "/b/", "/b", "/projects/*/serviceAccount",
	}
}

// Deps are what the API stands on.
type Deps struct {
	Objects *objects.Service
	// Topic reports whether notifications can go to projects/P/topics/T; nil
	// asks nothing.
	Topic func(ctx context.Context, name string) error
	Log   *slog.Logger
}

// handler answers requests whose host and caller have been checked already.
type handler struct {
	objects *objects.Service
	media   *media.Server
	topic   func(ctx context.Context, name string) error
	log     *slog.Logger
}

// New returns the API over objects.
func New(d Deps) http.Handler {
	log := d.Log.With("component", "storagev1")
	return &handler{objects: d.Objects, media: media.New(d.Objects, log), topic: d.Topic, log: log}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, err := parseTarget(r.URL.EscapedPath())
	if err == nil {
		err = unpackDocument(r, t)
	}
	if err == nil {
		err = h.dispatch(w, r, t)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// endpoint answers one kind of request.
type endpoint func(w http.ResponseWriter, r *http.Request, t target) error

func (h *handler) dispatch(w http.ResponseWriter, r *http.Request, t target) error {
	if err := media.CustomerKeys(r.Header); err != nil {
		return err
	}
	var table map[string]endpoint
	switch t.kind {
	case kindBuckets:
		table = map[string]endpoint{"GET": h.listBuckets, "POST": h.insertBucket}
	case kindBucket:
		table = map[string]endpoint{"GET": h.getBucket, "PATCH": h.patchBucket, "DELETE": h.deleteBucket, "PUT": h.putBucket}
	case kindObjects:
		table = map[string]endpoint{"GET": h.listObjects, "POST": unimplemented("objects.insert without uploadType", "send to /upload/storage/v1/")}
	case kindObject:
		table = map[string]endpoint{"GET": h.getObject, "HEAD": h.getObject, "PATCH": h.patchObject, "DELETE": h.deleteObject, "PUT": h.putObject}
	case kindUpload:
		table = map[string]endpoint{"POST": h.upload, "PUT": h.upload, "DELETE": h.cancelUpload}
	case kindBucketPart:
		table = h.bucketPart(t)
	case kindObjectPart:
		table = h.objectPart(t)
	case kindProject:
		table = h.projectPart(t)
	case kindOther:
		return unimplemented(t.object, "it is not part of this server yet")(w, r, t)
	}
	do, ok := table[r.Method]
	if ok {
		return do(w, r, t)
	}
	return unimplemented(r.Method+" on "+t.kind.String(), "see the compatibility table")(w, r, t)
}

// unimplemented names what is missing and what to do instead.
func unimplemented(what, instead string) endpoint {
	return func(http.ResponseWriter, *http.Request, target) error {
		return sunya.Errorf(sunya.Unimplemented, "", "%s is not implemented: %s", what, instead)
	}
}

// bucketPart answers b/BUCKET/PART.
func (h *handler) bucketPart(t target) map[string]endpoint {
	switch {
	case t.part == "storageLayout":
		return map[string]endpoint{"GET": h.storageLayout}
	case t.part == "managedFolders" && t.id == "", t.part == "folders" && t.id == "":
		table := missing("buckets." + t.part)
		table["GET"] = h.listFolders
		return table
	case t.part == "notificationConfigs" && t.id == "":
		return map[string]endpoint{"GET": h.listNotifications, "POST": h.insertNotification}
	case t.part == "notificationConfigs":
		return map[string]endpoint{"GET": h.getNotification, "DELETE": h.deleteNotification}
	}
	if acl := h.acl(t); acl != nil {
		return acl
	}
	switch t.part {
	case "iam":
		return map[string]endpoint{"GET": h.getPolicy, "PUT": h.setPolicy}
	case "iam/testPermissions":
		return map[string]endpoint{"GET": h.testPermissions}
	case "lockRetentionPolicy":
		return map[string]endpoint{"POST": h.lockRetention}
	}
	return missing("buckets." + t.part)
}

// objectPart answers b/BUCKET/o/OBJECT/PART.
func (h *handler) objectPart(t target) map[string]endpoint {
	if acl := h.acl(t); acl != nil {
		return acl
	}
	switch t.part {
	case "compose":
		return map[string]endpoint{"POST": h.composeObject}
	case "copyTo":
		return map[string]endpoint{"POST": h.copyObject}
	case "rewriteTo":
		return map[string]endpoint{"POST": h.rewriteObject}
	case "moveTo":
		return map[string]endpoint{"POST": h.moveObject}
	case "restore":
		return map[string]endpoint{"POST": h.restoreObject}
	}
	return missing("objects." + t.part)
}

// projectPart answers projects/PROJECT/PART.
func (h *handler) projectPart(t target) map[string]endpoint {
	if t.part == "serviceAccount" {
		return map[string]endpoint{"GET": h.serviceAccount}
	}
	return missing("projects." + t.part)
}

func missing(what string) map[string]endpoint {
	no := unimplemented(what, "it is not part of this server yet")
	return map[string]endpoint{"GET": no, "POST": no, "PUT": no, "PATCH": no, "DELETE": no}
}

// serviceAccount answers who publishes notifications at Google: here nobody has
// to be allowed to. gcloud names the project by its number.
func (h *handler) serviceAccount(w http.ResponseWriter, r *http.Request, t target) error {
	number, err := strconv.ParseInt(t.id, 10, 64)
	if err != nil {
		if err := sunya.CheckProject(t.id); err != nil {
			return err
		}
		number = sunya.ProjectNumber(t.id)
	}
	return reply(w, r, map[string]string{
		"kind":          "storage#serviceAccount",
		"email_address": fmt.Sprintf("service-%d@gs-project-accounts.iam.gserviceaccount.com", number),
	})
}
