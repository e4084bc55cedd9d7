package storagexml

import (
	"encoding/xml"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/signature"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// The limits of a form before its file.
const (
	maxFields     = 200
	maxFieldBytes = 64 << 10
	maxFormBytes  = 256 << 10
)

// formFields reads the fields of a form up to its file, which has to be the last
// part: what comes behind it is not looked at. Names are in lower case.
func formFields(parts *multipart.Reader) (map[string]string, *multipart.Part, error) {
	form, total := map[string]string{}, 0
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil, nil, coded("MalformedPOSTRequest", "the form has no field file, which has to be its last")
		}
		if err != nil {
			return nil, nil, coded("MalformedPOSTRequest", "the form is not well-formed: %v", err)
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			return form, part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxFieldBytes+1))
		if err != nil {
			return nil, nil, media.Broken(err)
		}
		total += len(name) + len(value)
		if len(value) > maxFieldBytes || total > maxFormBytes || len(form) == maxFields {
			return nil, nil, coded("MalformedPOSTRequest", "the fields before the file are too many or too long")
		}
		if _, twice := form[name]; twice {
			return nil, nil, coded("MalformedPOSTRequest", "the field %.100q is there twice", name)
		}
		form[name] = string(value)
	}
}

// form answers POST of a form to a bucket: an upload from a web page, which a
// signed policy allows.
func (h *handler) form(w http.ResponseWriter, r *http.Request, t target) error {
	if !isForm(r) {
		return sunya.Invalid("Content-Type", "%q: a POST to a bucket is multipart/form-data", r.Header.Get("Content-Type"))
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return coded("MalformedPOSTRequest", "the form is not well-formed: %v", err)
	}
	form, file, err := formFields(parts)
	if err != nil {
		return err
	}
	form["bucket"] = t.bucket
	policy, err := signature.VerifyForm(r.Context(), form, h.Auth.Keys, h.Auth.Now())
	if err != nil {
		return err
	}
	if err := policy.Allows(form); err != nil {
		return err
	}
	n, err := formObject(form, t, file.FileName())
	if err != nil {
		return err
	}
	if n.ContentType == "" {
		n.ContentType = file.Header.Get("Content-Type")
	}
	var body io.Reader = media.Body{Reader: file}
	if policy.Max >= 0 {
		body = &ranged{Reader: body, least: policy.Min, most: policy.Max}
	}
	o, err := h.Objects.Put(r.Context(), n, body, -1)
	if err != nil {
		return err
	}
	return stored(w, r, form, o)
}

// formObject is the object that a form makes.
func formObject(form map[string]string, t target, filename string) (objects.NewObject, error) {
	if form["key"] == "" {
		return objects.NewObject{}, sunya.Invalid("key", "the form has no field key: the object needs a name")
	}
	filename = filename[strings.LastIndexAny(filename, `/\`)+1:]
	t.object = strings.ReplaceAll(form["key"], "${filename}", filename)
	headers := http.Header{}
	for name, value := range form {
		switch {
		case name == "cache-control", name == "content-disposition", name == "content-encoding", name == "content-language", name == "content-type",
			name == "x-goog-custom-time", name == "x-goog-storage-class", name == "x-amz-storage-class",
			strings.HasPrefix(name, "x-goog-meta-"), strings.HasPrefix(name, "x-amz-meta-"), strings.HasPrefix(name, "x-goog-if-"):
			headers.Set(name, value)
		}
	}
	return newObject(headers, t)
}

type postResponse struct {
	XMLName                     xml.Name `xml:"PostResponse"`
	Location, Bucket, Key, ETag string
}

// stored answers as the form asks: by sending the browser elsewhere, or with a
// status.
func stored(w http.ResponseWriter, r *http.Request, form map[string]string, o *objects.Object) error {
	objectHeaders(w.Header(), o)
	location := media.Base(r) + strings.TrimSuffix(r.URL.EscapedPath(), "/") + "/" + (&url.URL{Path: o.Name}).EscapedPath()
	w.Header().Set("Location", location)
	if to := redirect(form); to != nil {
		q := to.Query()
		q.Set("bucket", o.Bucket)
		q.Set("key", o.Name)
		q.Set("etag", hexETag(o))
		to.RawQuery = q.Encode()
		w.Header().Set("Location", to.String())
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	switch form["success_action_status"] {
	case "201":
		return reply(w, r, http.StatusCreated, postResponse{Location: location, Bucket: o.Bucket, Key: o.Name, ETag: hexETag(o)})
	case "200":
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

// redirect is where a form wants the browser to go; nil: nowhere.
func redirect(form map[string]string) *url.URL {
	to, err := url.Parse(form["success_action_redirect"])
	if err != nil || to.Scheme != "http" && to.Scheme != "https" || to.Host == "" {
		return nil
	}
	return to
}
