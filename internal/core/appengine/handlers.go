package appengine

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appyaml"
)

// Handler is one of a version's handlers: what answers which paths. The first
// that matches wins.
type Handler struct {
	URL          string // regular expression of whole paths
	Script       string // "auto"; empty with Static
	Static       *StaticFiles
	Secure       sunya.Secure
	RedirectCode int // 301, 302, 303, 307 or 0
}

// StaticFiles is a handler whose files the platform serves itself.
type StaticFiles struct {
	Path                string // \1 to \9 stand for groups of the URL
	Upload              string // regular expression of the files' paths
	MIMEType            string
	Expiration          *time.Duration // nil: the version's default
	Headers             []sunya.Header
	RequireMatchingFile bool
	ApplicationReadable bool
}

// ErrorHandler is a page of the app's own for errors of the platform.
type ErrorHandler struct {
	Code     string // default, over_quota, dos_api_denial or timeout
	File     string
	MIMEType string
}

// maxHandlers is how many handlers a version may have.
const maxHandlers = 100

// staticMaxAge is how long static files may be kept by caches when app.yaml
// does not say (reference of app.yaml: 10 minutes).
const staticMaxAge = 10 * time.Minute

// front is what of a version the gateway does by itself.
type front struct {
	rules  []sunya.Rule
	pages  []sunya.ErrorPage
	static []sunya.StaticSource
}

// front checks the handlers and error handlers and translates them into the
// core's rules.
func (n *NewVersion) front() (front, error) {
	var f front
	if len(n.Handlers) > maxHandlers {
		return f, sunya.Invalid("version.handlers", "has %d entries: at most %d are allowed", len(n.Handlers), maxHandlers)
	}
	age := staticMaxAge
	if n.DefaultExpiration != nil {
		age = *n.DefaultExpiration
	}
	if age < 0 {
		return f, sunya.Invalid("version.defaultExpiration", "must not be negative, is %v", age)
	}
	for i := range n.Handlers {
		if err := f.add(fmt.Sprintf("version.handlers[%d]", i), &n.Handlers[i], age); err != nil {
			return f, err
		}
	}
	return f, f.addPages(n.ErrorHandlers)
}

// add appends one handler; its field is for errors.
func (f *front) add(field string, h *Handler, age time.Duration) error {
	if err := appyaml.CheckURL(h.URL); err != nil {
		return sunya.InField(field+".urlRegex", err)
	}
	if h.RedirectCode != 0 && !slices.Contains([]int{301, 302, 303, 307}, h.RedirectCode) {
		return sunya.Invalid(field+".redirectHttpResponseCode", "%d is not allowed: use 301, 302, 303 or 307", h.RedirectCode)
	}
	rule := sunya.Rule{Path: h.URL, Secure: h.Secure, RedirectStatus: h.RedirectCode}
	switch {
	case h.Static == nil && h.Script == "":
		return sunya.Invalid(field, "says nothing about what answers: give script.scriptPath auto, or staticFiles")
	case h.Static == nil && h.Script != "auto":
		return sunya.Invalid(field+".script.scriptPath", "%q is not allowed: current runtimes know only auto", h.Script)
	case h.Static != nil:
		static, err := h.Static.rule(field+".staticFiles", h.URL, age)
		if err != nil {
			return err
		}
		rule.Static = static
		f.static = append(f.static, sunya.StaticSource{Pattern: h.Static.Upload, Readable: h.Static.ApplicationReadable})
	}
	f.rules = append(f.rules, rule)
	return nil
}

func (s *StaticFiles) rule(field, url string, age time.Duration) (*sunya.StaticRule, error) {
	if s.Expiration != nil {
		age = *s.Expiration
	}
	if age < 0 {
		return nil, sunya.Invalid(field+".expiration", "must not be negative, is %v", age)
	}
	if s.Path == "" {
		return nil, sunya.Invalid(field+".path", "is missing")
	}
	if err := appyaml.CheckFile(s.Path, url); err != nil {
		return nil, sunya.InField(field+".path", err)
	}
	if s.Upload == "" {
		return nil, sunya.Invalid(field+".uploadPathRegex", "is missing: give a regular expression that matches the paths of all the files")
	}
	if err := appyaml.CheckPattern(s.Upload); err != nil {
		return nil, sunya.InField(field+".uploadPathRegex", err)
	}
	if err := appyaml.CheckMIMEType(s.MIMEType); err != nil {
		return nil, sunya.InField(field+".mimeType", err)
	}
	for _, h := range s.Headers {
		if err := appyaml.CheckHeader(h.Name, h.Value); err != nil {
			return nil, sunya.InField(field+".httpHeaders", err)
		}
	}
	return &sunya.StaticRule{
		File:     s.Path,
		MIMEType: s.MIMEType,
		MaxAge:   age,
		Headers:  s.Headers,
		Optional: s.RequireMatchingFile,
	}, nil
}

// errorKinds are error_handlers' codes in the core's words.
func errorKinds() map[string]sunya.ErrorKind {
	return map[string]sunya.ErrorKind{
		"default":        sunya.ErrorDefault,
		"over_quota":     sunya.ErrorOverQuota,
		"dos_api_denial": sunya.ErrorDenied,
		"timeout":        sunya.ErrorTimeout,
	}
}

// addPages appends the error handlers. Their files are the program's too.
func (f *front) addPages(handlers []ErrorHandler) error {
	for i, h := range handlers {
		field := fmt.Sprintf("version.errorHandlers[%d]", i)
		kind, ok := errorKinds()[h.Code]
		taken := slices.ContainsFunc(f.pages, func(p sunya.ErrorPage) bool { return p.On == kind })
		switch {
		case !ok:
			return sunya.Invalid(field+".errorCode", "%q is not an error code", h.Code)
		case taken:
			return sunya.Invalid(field+".errorCode", "%s has two pages: keep one", h.Code)
		case h.File == "":
			return sunya.Invalid(field+".staticFile", "is missing")
		}
		if err := appyaml.CheckMIMEType(h.MIMEType); err != nil {
			return sunya.InField(field+".mimeType", err)
		}
		f.pages = append(f.pages, sunya.ErrorPage{On: kind, File: h.File, MIMEType: h.MIMEType})
		f.static = append(f.static, sunya.StaticSource{Pattern: regexp.QuoteMeta(h.File), Readable: true})
	}
	return nil
}
