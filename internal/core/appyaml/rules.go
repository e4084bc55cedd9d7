package appyaml

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
)

// What the values of handlers may be, whether they come from a file or over the
// API. Errors are sunya.InvalidArgument and do not name the key.

// ErrorCodes are the errors that can have a page.
var ErrorCodes = []string{"default", "over_quota", "dos_api_denial", "timeout"}

// maxPattern is the length of a regular expression in bytes.
const maxPattern = 2 << 10

// CheckURL holds for the url of a handler: a regular expression of paths.
func CheckURL(pattern string) error {
	if pattern == "" || !strings.ContainsRune("/.(", rune(pattern[0])) {
		return sunya.Invalid("", "%q is not allowed: it is matched against the whole path, so begin with /, with .* or with a group", pattern)
	}
	return CheckPattern(pattern)
}

// CheckPattern holds for the regular expressions of handlers: POSIX extended
// ones and Perl's classes.
func CheckPattern(pattern string) error {
	if len(pattern) > maxPattern {
		return sunya.Invalid("", "the regular expression has %d bytes, more than %d", len(pattern), maxPattern)
	}
	_, err := sunya.CompilePattern(pattern)
	if err == nil {
		return nil
	}
	for _, look := range []string{"(?!", "(?=", "(?<"} {
		if strings.Contains(pattern, look) {
			return sunya.Invalid("", "%q looks around with %s…), which App Engine's regular expressions cannot: order the handlers instead, the first that matches wins", pattern, look)
		}
	}
	return sunya.Invalid("", "%q is not a regular expression: %s", pattern, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
}

// CheckFile holds for static_files: a relative path that refers to groups that
// the url has.
func CheckFile(template, url string) error {
	re, err := regexp.Compile(url)
	if err != nil {
		return CheckURL(url)
	}
	for i := 0; i+1 < len(template); i++ {
		if c := template[i+1]; template[i] == '\\' && c >= '0' && c <= '9' && int(c-'0') > re.NumSubexp() {
			return sunya.Invalid("", `%q refers to \%c, but the url %q has %d groups`, template, c, url, re.NumSubexp())
		}
	}
	if strings.HasPrefix(template, "/") || strings.ContainsRune(template, 0) {
		return sunya.Invalid("", "%q is not allowed: write a path relative to app.yaml", template)
	}
	return nil
}

// CheckMIMEType holds for mime_type, which may be left away.
func CheckMIMEType(s string) error {
	if s != "" && !mimeRE.MatchString(s) {
		return sunya.Invalid("", "%q is not a media type: write one such as text/css", s)
	}
	return nil
}

// requestHeaders cannot be in an answer.
var requestHeaders = " accept accept-charset accept-encoding accept-language authorization expect from host if-match" +
	" if-modified-since if-none-match if-range if-unmodified-since max-forwards proxy-authorization range referer te user-agent "

// platformHeaders are the platform's to set, hop-by-hop ones among them (RFC
// 9110 §7.6.1).
var platformHeaders = " content-encoding content-length date server connection keep-alive proxy-authenticate" +
	" proxy-connection te trailer trailers transfer-encoding upgrade "

// headerLimits are the longest values of headers that may have more than
// maxHeader bytes in all.
var headerLimits = map[string]int{
	"content-security-policy": 10240, "x-content-security-policy": 10240, "x-webkit-csp": 10240,
	"content-security-policy-report-only": 10240, "set-cookie": 4096, "set-cookie2": 4096, "location": 2047,
}

// maxHeader is the length of "name: value" with its line end.
const maxHeader = 500

var headerNameRE = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110 §5.1

// CheckHeader holds for http_headers (reference of app.yaml, "http_headers").
func CheckHeader(name, value string) error {
	lower := strings.ToLower(name)
	switch {
	case !headerNameRE.MatchString(name):
		return sunya.Invalid("", "%q is not the name of a header", name)
	case strings.HasPrefix(lower, "x-appengine"):
		return sunya.Invalid("", "%s is not allowed: names that begin with X-Appengine are reserved", name)
	case strings.Contains(requestHeaders, " "+lower+" "):
		return sunya.Invalid("", "%s is a header of requests, not of answers", name)
	case strings.Contains(platformHeaders, " "+lower+" "):
		return sunya.Invalid("", "%s is not allowed: the platform sets it", name)
	}
	for i := range len(value) {
		if c := value[i]; c != '\t' && (c < ' ' || c > '~') {
			return sunya.Invalid("", "the value of %s holds a character that is not printable ASCII", name)
		}
	}
	limit, long := headerLimits[lower]
	switch {
	case long && len(value) > limit:
		return sunya.Invalid("", "the value of %s has %d bytes, more than %d", name, len(value), limit)
	case !long && len(name)+len(value)+len(": \r\n") >= maxHeader:
		return sunya.Invalid("", "%s and its value have more than %d bytes", name, maxHeader)
	}
	return nil
}

var (
	expirationRE = regexp.MustCompile(`^\s*[0-9]{1,9}[dhmsDHMS]?(\s+[0-9]{1,9}[dhmsDHMS]?)*\s*$`)
	deltaRE      = regexp.MustCompile(`([0-9]+)([dhmsDHMS]?)`)
)

// maxExpiration is what HTTP knows as for ever (RFC 9111 §1.2.2: 2^31 seconds).
const maxExpiration = (1<<31 - 1) * time.Second

// ParseExpiration reads "4d 5h", "10m", "3600" (seconds).
func ParseExpiration(s string) (time.Duration, error) {
	if !expirationRE.MatchString(s) {
		return 0, sunya.Invalid("", "%q is not allowed: use numbers with d, h, m or s, such as 4d 5h", s)
	}
	units := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second, "": time.Second}
	var total time.Duration
	for _, m := range deltaRE.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseInt(m[1], 10, 64)
		unit := units[strings.ToLower(m[2])]
		if err != nil || n > int64((maxExpiration-total)/unit) {
			return 0, sunya.Invalid("", "%q is longer than the %d seconds that HTTP knows", s, int64(maxExpiration/time.Second))
		}
		total += time.Duration(n) * unit
	}
	return total, nil
}

// problem is the text of an error of this file.
func problem(err error) string {
	var e *sunya.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
