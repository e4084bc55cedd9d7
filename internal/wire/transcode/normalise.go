package transcode

import (
	"bufio"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// maxForm is how long a query is that comes as the body of a POST.
const maxForm = 1 << 20

// systemParameters are the query parameters of every Google API
// (cloud.google.com/apis/docs/system-parameters) and those that older clients
// send; the transcoder would take them for fields. "connect" would switch it to
// another protocol.
func systemParameters() []string {
	return []string{
		"access_token", "alt", "bearer_token", "callback", "connect", "encoding", "fields", "key",
		"oauth_token", "passwd", "pp", "prettyPrint", "quotaUser", "trace", "uploadType",
		"upload_protocol", "userIp", "userProject",
	}
}

// normalise returns the request as the transcoder wants it; bools names the
// query parameters that are booleans. r is not changed.
func normalise(r *http.Request, bools map[string]bool) (*http.Request, error) {
	out := r.Clone(r.Context())
	out.Header.Del("Connect-Protocol-Version")
	if err := override(out); err != nil {
		return nil, err
	}
	fillBody(out)
	if err := contentType(out); err != nil {
		return nil, err
	}
	var err error
	out.URL.RawQuery, err = query(out.URL.RawQuery, bools)
	return out, err
}

// fillBody gives a POST without a body the empty message, as Google does: the
// transcoder would hand the method no message at all.
func fillBody(r *http.Request) {
	if r.Method != http.MethodPost {
		return
	}
	body := bufio.NewReader(r.Body)
	if _, err := body.Peek(1); err != io.EOF {
		r.Body = struct {
			io.Reader
			io.Closer
		}{body, r.Body}
		return
	}
	r.Header.Set("Content-Type", "application/json")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
}

// override obeys X-HTTP-Method-Override, which clients send when a proxy
// allows GET and POST only, or when a query is too long for a URL: then it is
// the form in the body of a POST.
func override(r *http.Request) error {
	method := strings.ToUpper(r.Header.Get("X-HTTP-Method-Override"))
	r.Header.Del("X-HTTP-Method-Override")
	if method == "" || r.Method != http.MethodPost {
		return nil
	}
	if !slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) {
		return sunya.Invalid("X-HTTP-Method-Override", "%q is not a method of this API", method)
	}
	r.Method = method
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/x-www-form-urlencoded" {
		return nil
	}
	form, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(form) > maxForm {
		return sunya.Invalid("", "the form could not be read, or is larger than %v", sunya.Bytes(maxForm))
	}
	r.Header.Del("Content-Type")
	r.Body, r.ContentLength = http.NoBody, 0
	r.URL.RawQuery = strings.Trim(r.URL.RawQuery+"&"+string(form), "&")
	return nil
}

// contentType brings JSON into the one spelling that the transcoder knows. A
// body of another type is refused: a browser's form must not be read as JSON.
func contentType(r *http.Request) error {
	sent := r.Header.Get("Content-Type")
	if sent == "" || r.ContentLength == 0 {
		r.Header.Del("Content-Type")
		if sent == "" && r.ContentLength != 0 {
			return sunya.Invalid("Content-Type", "is missing: send application/json")
		}
		return nil
	}
	t, _, err := mime.ParseMediaType(sent)
	if err != nil || t != "application/json" {
		return sunya.Invalid("Content-Type", "%q is not understood: send application/json", sent)
	}
	r.Header["Content-Type"] = []string{"application/json"}
	return nil
}

// query removes the system parameters ($alt=…, key=…) and empty entries of
// masks: gcloud sends updateMask=split,. It spells booleans as JSON does.
func query(raw string, bools map[string]bool) (string, error) {
	var keep []string
	for pair := range strings.SplitSeq(raw, "&") {
		escaped, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(escaped)
		if strings.HasPrefix(name, "$") || slices.Contains(systemParameters(), name) || pair == "" {
			continue
		}
		plain, err2 := url.QueryUnescape(value)
		if err != nil || err2 != nil || strings.Contains(pair, ";") {
			return "", sunya.Invalid("", "the query parameter %q is not escaped well", pair)
		}
		if strings.HasSuffix(strings.ToLower(name), "mask") {
			plain = mask(plain)
			if plain == "" {
				continue
			}
			pair = escaped + "=" + url.QueryEscape(plain)
		}
		if bools[name] {
			pair = escaped + "=" + strings.ToLower(value)
		}
		keep = append(keep, pair)
	}
	return strings.Join(keep, "&"), nil
}

// mask removes the empty entries of a mask, and spells the others as JSON does:
// gcloud also sends build_config.entry_point.
func mask(value string) string {
	paths := strings.Split(value, ",")
	paths = slices.DeleteFunc(paths, func(p string) bool { return strings.TrimSpace(p) == "" })
	return underscoreRE.ReplaceAllStringFunc(strings.Join(paths, ","), func(s string) string { return strings.ToUpper(s[1:]) })
}

var underscoreRE = regexp.MustCompile(`_[a-z0-9]`)
