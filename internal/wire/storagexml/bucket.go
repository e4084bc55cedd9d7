package storagexml

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/scope"
)

// maxDocument is the largest XML body that is read.
const maxDocument = 1 << 20

// decode reads an XML body; an empty one is a zero document.
func decode(r *http.Request, to any) error {
	data, err := io.ReadAll(io.LimitReader(r.Body, maxDocument+1))
	if err != nil {
		return sunya.Invalid("", "the request body broke off: send it again")
	}
	if len(data) > maxDocument {
		return sunya.Invalid("", "the XML body is larger than %v", sunya.Bytes(maxDocument))
	}
	if len(data) == 0 {
		return nil
	}
	if err := xml.Unmarshal(data, to); err != nil {
		return malformed(err.Error())
	}
	return nil
}

type owner struct {
	ID          string
	DisplayName string
}

type listAllMyBucketsResult struct {
	XMLName   xml.Name `xml:"ListAllMyBucketsResult"`
	Namespace string   `xml:"xmlns,attr"`
	Owner     owner
	Buckets   []bucketEntry `xml:"Buckets>Bucket"`
}

type bucketEntry struct{ Name, CreationDate string }

// project is the one that a request is about.
func (h *handler) project(r *http.Request) string {
	if p := r.Header.Get("X-Goog-Project-Id"); p != "" {
		return p
	}
	if own, inside := scope.Of(r.Context()); inside {
		return own
	}
	return h.Project
}

// listBuckets answers GET of the service: all buckets of a project.
func (h *handler) listBuckets(w http.ResponseWriter, r *http.Request, _ target) error {
	project := h.project(r)
	doc := listAllMyBucketsResult{Namespace: namespace, Owner: owner{project, project}}
	for after, more := "", true; more; more = after != "" {
		page, next, err := h.Objects.ListBuckets(r.Context(), project, "", after, maxKeys)
		if err != nil {
			return err
		}
		for i := range page {
			doc.Buckets = append(doc.Buckets, bucketEntry{page[i].Name, stamp(page[i].CreateTime)})
		}
		after = next
	}
	return reply(w, r, http.StatusOK, doc)
}

func (h *handler) headBucket(w http.ResponseWriter, r *http.Request, t target) error {
	b, err := h.Objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	w.Header().Set("X-Goog-Stored-Content-Length", "0")
	w.Header().Set("X-Amz-Bucket-Region", strings.ToLower(b.Location))
	w.WriteHeader(http.StatusOK)
	return nil
}

// createBucket answers PUT.
func (h *handler) createBucket(w http.ResponseWriter, r *http.Request, t target) error {
	if err := objects.CheckBucketName(t.bucket); err != nil {
		return coded("InvalidBucketName", "%v", err)
	}
	var asked struct {
		LocationConstraint string
		StorageClass       string
	}
	if err := decode(r, &asked); err != nil {
		return err
	}
	location := asked.LocationConstraint
	if location == "" {
		location = "LOCAL"
	}
	if _, err := h.Objects.CreateBucket(r.Context(), objects.Bucket{Name: t.bucket, Project: h.project(r), Location: location, Rules: objects.Rules{StorageClass: strings.ToUpper(asked.StorageClass)}}); err != nil {
		return err
	}
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) deleteBucket(w http.ResponseWriter, r *http.Request, t target) error {
	cond, err := conditions(r.Header)
	if err != nil {
		return err
	}
	if err := h.Objects.DeleteBucket(r.Context(), t.bucket, cond); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// deleteRequest is the body of POST ?delete.
type deleteRequest struct {
	Quiet  bool
	Object []struct {
		Key       string
		VersionID string `xml:"VersionId"`
	}
}

type deleteResult struct {
	XMLName xml.Name      `xml:"DeleteResult"`
	Deleted []deleted     `xml:"Deleted"`
	Error   []deleteError `xml:"Error"`
}

type deleted struct{ Key string }

type deleteError struct{ Key, Code, Message string }

// maxDelete is how many objects one request may delete.
const maxDelete = 1000

// deleteObjects answers POST ?delete. An object that is not there counts as
// deleted, as it does with S3.
func (h *handler) deleteObjects(w http.ResponseWriter, r *http.Request, t target) error {
	var asked deleteRequest
	if err := decode(r, &asked); err != nil {
		return err
	}
	if len(asked.Object) > maxDelete {
		return malformed("more than 1000 objects")
	}
	if _, err := h.Objects.GetBucket(r.Context(), t.bucket, objects.Conditions{}); err != nil {
		return err
	}
	var doc deleteResult
	for _, o := range asked.Object {
		gen, err := number("VersionId", o.VersionID)
		if err == nil {
			if gen == nil {
				gen = new(int64)
			}
			err = h.Objects.Delete(r.Context(), t.bucket, o.Key, *gen, objects.Conditions{})
		}
		switch {
		case err != nil && sunya.CodeOf(err) != sunya.NotFound:
			f := classify(err)
			doc.Error = append(doc.Error, deleteError{o.Key, f.Code, f.Message})
		case !asked.Quiet:
			doc.Deleted = append(doc.Deleted, deleted{o.Key})
		}
	}
	return reply(w, r, http.StatusOK, doc)
}
