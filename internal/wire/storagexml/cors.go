package storagexml

import (
	"encoding/json"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// corsRule is one of a bucket's rules of what pages of other origins may do
// (cloud.google.com/storage/docs/cross-origin).
type corsRule struct {
	Origin         []string `json:"origin,omitempty" xml:"Origins>Origin"`
	Method         []string `json:"method,omitempty" xml:"Methods>Method"`
	ResponseHeader []string `json:"responseHeader,omitempty" xml:"ResponseHeaders>ResponseHeader"`
	MaxAgeSeconds  *int64   `json:"maxAgeSeconds,omitempty" xml:"MaxAgeSec,omitempty"`
}

// maxAge is how long a browser may keep an answer that no rule says it of.
const maxAge = 3600

// admits reports whether a rule is about an origin, a method and these headers.
func (c *corsRule) admits(origin, method string, headers []string) bool {
	return anyOf(c.Origin, origin) && anyOf(c.Method, method) &&
		!slices.ContainsFunc(headers, func(name string) bool { return !anyOf(c.ResponseHeader, name) })
}

// anyOf reports whether one of the patterns is s; a star stands for anything.
func anyOf(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == "*" || strings.EqualFold(p, s) {
			return true
		}
		if !strings.Contains(p, "*") {
			return false
		}
		// path.Match stops at slashes, which origins have.
		ok, err := path.Match(strings.ToLower(strings.ReplaceAll(p, "/", "|")), strings.ToLower(strings.ReplaceAll(s, "/", "|")))
		return err == nil && ok
	})
}

// share answers a preflight, and says of other requests from pages who may see
// the answer.
func (h *handler) share(w http.ResponseWriter, r *http.Request, t target) error {
	origin := r.Header.Get("Origin")
	if origin == "" || t.bucket == "" {
		return nil
	}
	w.Header().Add("Vary", "Origin")
	b, err := h.Objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		if r.Method == http.MethodOptions {
			return err
		}
		return nil // the request says so itself
	}
	var s settings
	if len(b.Document) > 0 && json.Unmarshal(b.Document, &s) != nil {
		return nil
	}
	if r.Method == http.MethodOptions {
		s.preflight(w.Header(), r.Header)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	for i := range s.CORS {
		if c := &s.CORS[i]; c.admits(origin, r.Method, nil) {
			w.Header().Set("Access-Control-Allow-Origin", allowed(c, origin))
			if len(c.ResponseHeader) > 0 {
				w.Header().Set("Access-Control-Expose-Headers", strings.Join(c.ResponseHeader, ", "))
			}
			break
		}
	}
	return nil
}

// allowed is the origin as an answer names it.
func allowed(c *corsRule, origin string) string {
	if slices.Contains(c.Origin, "*") {
		return "*"
	}
	return origin
}

// preflight says what the rules allow of what is asked; nothing if none does.
func (s *settings) preflight(out, asked http.Header) {
	var headers []string
	for name := range strings.SplitSeq(asked.Get("Access-Control-Request-Headers"), ",") {
		if name = strings.TrimSpace(name); name != "" {
			headers = append(headers, name)
		}
	}
	for i := range s.CORS {
		c := &s.CORS[i]
		if !c.admits(asked.Get("Origin"), asked.Get("Access-Control-Request-Method"), headers) {
			continue
		}
		age := int64(maxAge)
		if c.MaxAgeSeconds != nil {
			age = *c.MaxAgeSeconds
		}
		out.Set("Access-Control-Allow-Origin", allowed(c, asked.Get("Origin")))
		out.Set("Access-Control-Allow-Methods", strings.Join(c.Method, ", "))
		out.Set("Access-Control-Max-Age", strconv.FormatInt(age, 10))
		if len(headers) > 0 {
			out.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
		}
		return
	}
}

// settings are the parts of a bucket's document that decide here.
type settings struct {
	CORS []corsRule `json:"cors"`
}
