package appyaml

import (
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sunya-cloud/sunya"
)

// maxHandlers is Google's limit.
const maxHandlers = 100

// Handler is one entry of handlers. Exactly one of Script and StaticFiles is
// set: static_dir is written out as the static_files that it stands for.
type Handler struct {
	URL    string // regular expression that matches a whole path
	Script string // auto

	StaticFiles         string // path of a file; \1 to \9 stand for groups of URL
	Upload              string // regular expression that matches the path of each of its files
	MIMEType            string
	Expiration          *time.Duration // nil: Config.DefaultExpiration
	Headers             []sunya.Header
	RequireMatchingFile bool
	ApplicationReadable bool

	Secure         string // default, optional, always, never or empty
	RedirectCode   int    // 301, 302, 303, 307 or 0
	AuthFailAction string // redirect, unauthorized or empty
}

// ErrorHandler is one entry of error_handlers.
type ErrorHandler struct {
	Code     string // default, over_quota, dos_api_denial or timeout
	File     string
	MIMEType string
}

// staticKeys belong to handlers of static files only.
var staticKeys = []string{"upload", "mime_type", "expiration", "http_headers", "require_matching_file", "application_readable"}

func (p *parser) handlers(key string, line int, v *yaml.Node) error {
	if v.Kind != yaml.SequenceNode {
		return p.errorf(line, "%s must be a list of \"- url: …\" entries, not %s", key, kindName(v))
	}
	if len(v.Content) > maxHandlers {
		return p.errorf(line, "%s has %d entries; at most %d are allowed", key, len(v.Content), maxHandlers)
	}
	for _, n := range v.Content {
		h, err := p.handler(follow(n))
		if err != nil {
			return err
		}
		p.cfg.Handlers = append(p.cfg.Handlers, h)
	}
	return nil
}

// handlerDraft is a handler with what only its parsing needs.
type handlerDraft struct {
	Handler
	staticDir string
	lines     map[string]int
}

// handler reads one entry.
func (p *parser) handler(n *yaml.Node) (Handler, error) {
	d := &handlerDraft{lines: map[string]int{}}
	fields := p.handlerFields(d)
	for i, f := range fields {
		next := f.apply
		fields[i].apply = func(key string, line int, v *yaml.Node) error {
			d.lines[key] = line
			return next(key, line, v)
		}
	}
	if err := p.mapping(n, "a handler", fields); err != nil {
		return Handler{}, err
	}
	if err := p.finishHandler(n.Line, d); err != nil {
		return Handler{}, err
	}
	return d.Handler, nil
}

func (p *parser) handlerFields(d *handlerDraft) []field {
	const path = "a path without NUL"
	return []field{
		{"url", p.url(&d.URL)},
		{"script", p.script(&d.Script)},
		{"static_dir", p.pattern(&d.staticDir, pathRE, path)},
		{"static_files", p.pattern(&d.StaticFiles, pathRE, path)},
		{"upload", p.regexp(&d.Upload)},
		{"mime_type", p.pattern(&d.MIMEType, mimeRE, "a media type such as text/css")},
		{"expiration", p.expiration(&d.Expiration)},
		{"http_headers", p.headers(&d.Headers)},
		{"require_matching_file", p.boolean(&d.RequireMatchingFile)},
		{"application_readable", p.boolean(&d.ApplicationReadable)},
		{"secure", p.oneOf(&d.Secure, "default", "optional", "always", "never")},
		{"redirect_http_response_code", p.redirectCode(&d.RedirectCode)},
		{"login", p.login},
		{"auth_fail_action", p.oneOf(&d.AuthFailAction, "redirect", "unauthorized")},
		{"position", p.position},
		{"api_endpoint", p.ignored("belongs to Cloud Endpoints; it changes nothing here")},
	}
}

var (
	pathRE = regexp.MustCompile(`^[^\x00]+$`)
	mimeRE = regexp.MustCompile(`^[!-~]+/[!-~]+( *; *[ -~]+)?$`)
)

// finishHandler checks the rules between the keys of one handler.
func (p *parser) finishHandler(line int, d *handlerDraft) error {
	if d.lines["url"] == 0 {
		return p.errorf(line, "a handler needs a url")
	}
	if err := p.handlerKind(line, d); err != nil {
		return err
	}
	if d.lines["static_dir"] > 0 {
		return p.expandDir(d)
	}
	if d.StaticFiles == "" {
		d.Script = "auto" // what api_endpoint stands for, too
		return nil
	}
	if d.lines["upload"] == 0 {
		return p.errorf(d.lines["static_files"], "static_files needs upload: a regular expression that matches the paths of all its files, such as upload: %s", uploadHint(d.StaticFiles))
	}
	if err := CheckFile(d.StaticFiles, d.URL); err != nil {
		return p.errorf(d.lines["static_files"], "static_files: %s", problem(err))
	}
	return nil
}

// handlerKind sees to it that a handler is of one kind and has only its keys.
func (p *parser) handlerKind(line int, d *handlerDraft) error {
	kind := ""
	for _, k := range []string{"script", "static_dir", "static_files", "api_endpoint"} {
		switch {
		case d.lines[k] == 0 || k == "api_endpoint" && kind == "script":
		case kind != "":
			return p.errorf(d.lines[k], "a handler has either %s or %s, not both", kind, k)
		default:
			kind = k
		}
	}
	if kind == "" {
		return p.errorf(line, "the handler for %q says nothing about what answers: add script: auto, static_dir or static_files", d.URL)
	}
	for _, k := range staticKeys {
		if d.lines[k] > 0 && (kind == "script" || kind == "api_endpoint") {
			return p.errorf(d.lines[k], "%s belongs to static_files and static_dir, not to %s", k, kind)
		}
	}
	if kind == "static_dir" && d.lines["upload"] > 0 {
		return p.errorf(d.lines["upload"], "upload belongs to static_files: with static_dir all files of the directory are meant")
	}
	return p.contentTypeOnce(d)
}

// contentTypeOnce refuses two ways of saying the same, as gcloud does.
func (p *parser) contentTypeOnce(d *handlerDraft) error {
	for _, h := range d.Headers {
		if strings.EqualFold(h.Name, "Content-Type") && d.MIMEType != "" {
			return p.errorf(d.lines["http_headers"], "mime_type (line %d) and the header Content-Type say the same thing: keep one", d.lines["mime_type"])
		}
	}
	return nil
}

// expandDir writes static_dir out as gcloud does: url/(.*), dir/\1, dir/.*.
func (p *parser) expandDir(d *handlerDraft) error {
	if re, err := regexp.Compile(d.URL); err == nil && re.NumSubexp() > 0 {
		return p.errorf(d.lines["url"], "url: %q has a group: with static_dir it is the beginning of the paths, without groups", d.URL)
	}
	dir := strings.TrimRight(d.staticDir, "/")
	d.URL = strings.TrimRight(d.URL, "/") + "/(.*)"
	d.StaticFiles = dir + `/\1`
	d.Upload = regexp.QuoteMeta(dir) + "/.*"
	return nil
}

// uploadHint turns static_files into an upload that probably fits.
func uploadHint(files string) string {
	return regexp.MustCompile(`\\[0-9]`).ReplaceAllString(files, "(.*)")
}

// login is checked by nobody here, so pages that want it are refused.
func (p *parser) login(key string, line int, v *yaml.Node) error {
	var login string
	if err := p.oneOf(&login, "optional", "required", "admin")(key, line, v); err != nil {
		return err
	}
	if login != "optional" {
		return p.refuse(line, "login: %s is not supported yet (it comes with user accounts), and without it the pages would be open to everybody: check the user in the app and remove the line", login)
	}
	return nil
}

func (p *parser) script(dst *string) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		if s != "auto" {
			return p.errorf(line, "script: %q is not allowed: current runtimes know only auto", s)
		}
		*dst = s
		return nil
	}
}

// position is for files that others include, which current runtimes have not.
func (p *parser) position(key string, line int, _ *yaml.Node) error {
	return p.errorf(line, "%s belongs to include files: handlers of an app.yaml are in the order in which they stand", key)
}

func (p *parser) redirectCode(dst *int) func(string, int, *yaml.Node) error {
	codes := map[string]int{"301": 301, "302": 302, "303": 303, "307": 307}
	return func(key string, line int, v *yaml.Node) error {
		var s string
		if err := p.oneOf(&s, "301", "302", "303", "307")(key, line, v); err != nil {
			return err
		}
		*dst = codes[s]
		return nil
	}
}

// url stores the pattern of a handler.
func (p *parser) url(dst *string) func(string, int, *yaml.Node) error {
	return p.checked(dst, CheckURL)
}

// regexp stores a regular expression.
func (p *parser) regexp(dst *string) func(string, int, *yaml.Node) error {
	return p.checked(dst, CheckPattern)
}

func (p *parser) checked(dst *string, check func(string) error) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		if err := check(s); err != nil {
			return p.errorf(line, "%s: %s", key, problem(err))
		}
		*dst = s
		return nil
	}
}

func (p *parser) headers(dst *[]sunya.Header) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		pairs, err := p.pairs(v, key)
		if err != nil {
			return err
		}
		for _, kv := range pairs {
			value, err := p.text(kv.key, kv.line, kv.value)
			if err != nil {
				return err
			}
			if err := CheckHeader(kv.key, value); err != nil {
				return p.errorf(kv.line, "%s: %s", key, problem(err))
			}
			*dst = append(*dst, sunya.Header{Name: kv.key, Value: value})
		}
		return nil
	}
}

// errorHandlers reads the pages that are shown instead of the platform's own.
func (p *parser) errorHandlers(key string, line int, v *yaml.Node) error {
	if v.Kind != yaml.SequenceNode {
		return p.errorf(line, "%s must be a list of \"- file: …\" entries, not %s", key, kindName(v))
	}
	seen := map[string]bool{}
	for _, n := range v.Content {
		h := ErrorHandler{Code: "default"}
		err := p.mapping(n, "an error handler", []field{
			{"error_code", p.oneOf(&h.Code, ErrorCodes...)},
			{"file", p.pattern(&h.File, pathRE, "the path of a file")},
			{"mime_type", p.pattern(&h.MIMEType, mimeRE, "a media type such as text/html")},
		})
		switch {
		case err != nil:
			return err
		case h.File == "":
			return p.errorf(n.Line, "an error handler needs a file")
		case seen[h.Code]:
			return p.errorf(n.Line, "%s has two pages for %s: keep one", key, h.Code)
		}
		seen[h.Code] = true
		p.cfg.ErrorHandlers = append(p.cfg.ErrorHandlers, h)
	}
	return nil
}

func (p *parser) defaultExpiration(key string, line int, v *yaml.Node) error {
	return p.expiration(&p.cfg.DefaultExpiration)(key, line, v)
}
