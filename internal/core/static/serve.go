package static

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// Serve answers a GET or HEAD with a file of the site: whole, in parts (Range),
// or with 304 when the client has it already (RFC 9110 §13 and §14). Clients that
// accept it get a compressed form, unless they ask for a part. Before anything
// is sent it may return an error, and then has sent nothing.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request, path string, rule *sunya.StaticRule, now time.Time) error {
	f, ok := s.files[path]
	if !ok {
		return sunya.Errorf(sunya.NotFound, path, "no such file")
	}
	enc := Identity
	if r.Header.Get("Range") == "" {
		enc = f.choose(r.Header.Values("Accept-Encoding"))
	}
	content, done, err := s.open(f, enc)
	if err != nil {
		return fmt.Errorf("open static file: %w", err)
	}
	defer done()
	setHeader(w.Header(), f, enc, rule, now)
	if r.Header.Get("If-Match") != "" {
		// It may fail, and net/http then announces no other length than this.
		w.Header().Del("Content-Length")
	}
	http.ServeContent(w, r, "", time.Time{}, content)
	return nil
}

// setHeader describes the answer. What the user set comes last and wins.
func setHeader(h http.Header, f File, enc Encoding, rule *sunya.StaticRule, now time.Time) {
	h.Set("Content-Type", f.Type)
	if rule.MIMEType != "" {
		h.Set("Content-Type", rule.MIMEType)
	}
	seconds := int64(rule.MaxAge / time.Second)
	h.Set("Cache-Control", "public, max-age="+strconv.FormatInt(seconds, 10))
	h.Set("Expires", now.Add(rule.MaxAge).UTC().Format(http.TimeFormat))
	h.Set("Etag", f.etag(enc))
	if f.Gzip+f.Brotli > 0 {
		h.Set("Vary", "Accept-Encoding")
	}
	if enc != Identity {
		h.Set("Content-Encoding", string(enc))
		h.Set("Content-Length", strconv.FormatInt(f.size(enc), 10))
	}
	own := map[string]bool{}
	for _, v := range rule.Headers {
		name := http.CanonicalHeaderKey(v.Name)
		if !own[name] {
			h.Del(name)
			own[name] = true
		}
		h.Add(name, v.Value)
	}
}

// etag names the content in one of its forms: each is a representation of its
// own (RFC 9110 §8.8.3.3).
func (f File) etag(enc Encoding) string {
	return `"` + f.Sum[:min(len(f.Sum), 32)] + strings.Replace(enc.suffix(), ".", "-", 1) + `"`
}

func (f File) size(enc Encoding) int64 {
	switch enc {
	case Brotli:
		return f.Brotli
	case Gzip:
		return f.Gzip
	}
	return f.Size
}

// choose returns the smallest form that the client accepts (RFC 9110 §12.5.3).
func (f File) choose(accept []string) Encoding {
	best := Identity
	for _, enc := range []Encoding{Gzip, Brotli} {
		if f.size(enc) > 0 && accepts(accept, enc) && f.size(enc) < f.size(best) {
			best = enc
		}
	}
	return best
}

// accepts reports whether a coding is listed and not given the weight 0. The
// wildcard is not taken for consent.
func accepts(accept []string, enc Encoding) bool {
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(name), string(enc)) {
				return !zeroWeight(params)
			}
		}
	}
	return false
}

func zeroWeight(params string) bool {
	name, value, _ := strings.Cut(strings.TrimSpace(params), "=")
	if !strings.EqualFold(strings.TrimSpace(name), "q") {
		return false
	}
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return err == nil && q == 0
}
