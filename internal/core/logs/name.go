package logs

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// maxLogID is Cloud Logging's limit on a log id.
const maxLogID = 511

var logIDRE = regexp.MustCompile(`^[A-Za-z0-9/_.\-]+$`)

// LogName returns the name of a log: projects/P/logs/ID, the id escaped as
// Cloud Logging does (run.googleapis.com%2Fstdout).
func LogName(project, id string) string {
	return "projects/" + project + "/logs/" + url.PathEscape(id)
}

// ParseLogName takes a log name apart; the id comes back unescaped. The errors
// are InvalidArgument about the field logName.
func ParseLogName(name string) (project, id string, err error) {
	rest, ok := strings.CutPrefix(name, "projects/")
	project, escaped, found := strings.Cut(rest, "/logs/")
	if !ok || !found {
		return "", "", sunya.Invalid("logName", "%q is not a log name: write projects/PROJECT/logs/LOG_ID", name)
	}
	if err := sunya.CheckProject(project); err != nil {
		return "", "", sunya.Invalid("logName", "%q names no valid project: write projects/PROJECT/logs/LOG_ID", name)
	}
	id, err = url.PathUnescape(escaped)
	if err != nil || strings.Contains(escaped, "/") {
		return "", "", sunya.Invalid("logName", "%q: the log id must be URL-encoded (a slash is %%2F)", name)
	}
	if len(id) > maxLogID || !logIDRE.MatchString(id) {
		return "", "", sunya.Invalid("logName", "%q: a log id has 1 to %d letters, digits and / _ - .", name, maxLogID)
	}
	return project, id, nil
}

// Project returns the project of the entry's log, or "" for a malformed name.
func (e *Entry) Project() string {
	rest, ok := strings.CutPrefix(e.LogName, "projects/")
	if !ok {
		return ""
	}
	project, _, _ := strings.Cut(rest, "/")
	return project
}

// Size is about how many bytes the entry takes, for limits on memory.
func (e *Entry) Size() int64 {
	n := 256 + len(e.LogName) + len(e.InsertID) + len(e.Text) + len(e.JSON) + len(e.Trace) + len(e.SpanID)
	for k, v := range e.Labels {
		n += len(k) + len(v)
	}
	for k, v := range e.Resource.Labels {
		n += len(k) + len(v)
	}
	if e.HTTP != nil {
		n += 128 + len(e.HTTP.URL) + len(e.HTTP.UserAgent) + len(e.HTTP.Referer)
	}
	return int64(n)
}
