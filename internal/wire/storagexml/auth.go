package storagexml

import (
	"mime"
	"net/http"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/core/signature"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// Auth lets in requests to Storage that need no token, since they show something
// else.
type Auth struct {
	Keys    signature.Keys
	Objects *objects.Service
	Now     func() time.Time
}

// Admit lets in whoever shows a good signature, continues an upload whose id he
// knows, fills in a form (whose policy the handler checks), or asks whether he
// might ask from another origin. A signature that does not count is refused,
// whoever sent it.
func (a *Auth) Admit(r *http.Request) (bool, error) {
	if preflight(r) || toForm(r) || a.continues(r) {
		return true, nil
	}
	return a.signed(r)
}

// signed reports whether a request has a signature that counts.
func (a *Auth) signed(r *http.Request) (bool, error) {
	signed, err := signature.Verify(r.Context(), signature.Request{
		Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Bucket: bucketOfHost(r.Host), Header: r.Header, Length: r.ContentLength,
	}, a.Keys, a.Now())
	return signed != nil, err
}

// AdmitUpload lets in whoever continues an upload of the JSON API, or asks whether
// he might. It is for the paths of uploads alone.
func (a *Auth) AdmitUpload(r *http.Request) (bool, error) { return preflight(r) || a.continues(r), nil }

// AdmitPreflight lets in questions of browsers, which do nothing.
func AdmitPreflight(r *http.Request) (bool, error) { return preflight(r), nil }

// continues reports whether a request goes on with a resumable upload.
func (a *Auth) continues(r *http.Request) bool {
	id := r.URL.Query().Get("upload_id")
	if id == "" {
		return false
	}
	u, _, err := a.Objects.GetUpload(r.Context(), id)
	return err == nil && !u.Multipart
}

// preflight reports whether a browser asks for a page what it may send
// (https://fetch.spec.whatwg.org/#cors-preflight-request).
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// toForm reports whether a request goes where a form needs a policy, and nothing
// else is done.
func toForm(r *http.Request) bool {
	t, err := parseTarget(r)
	return err == nil && isForm(r) && t.bucket != "" && t.object == "" && subresource(r.URL.Query()) == ""
}

// isForm reports whether a browser's form is sent.
func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && r.Method == http.MethodPost && kind == "multipart/form-data"
}

// Root answers the root of a host that is not Storage's alone: signed requests by
// the API, all others by other.
func (a *Auth) Root(api, other http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed, err := a.signed(r)
		switch {
		case err != nil:
			Refuse(w, r, err)
		case signed:
			api.ServeHTTP(w, r)
		default:
			other.ServeHTTP(w, r)
		}
	})
}

// Refuse answers whoever may not, in the form that the API's clients read.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	media.Classify(err, false).WriteXML(w, r)
}
