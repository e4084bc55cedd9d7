package appenginev1

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

func handlers(list []*appenginepb.UrlMap) []appengine.Handler {
	var out []appengine.Handler
	for _, m := range list {
		h := appengine.Handler{
			URL:          m.GetUrlRegex(),
			Script:       m.GetScript().GetScriptPath(),
			Secure:       secure(m.GetSecurityLevel()),
			RedirectCode: redirectCode(m.GetRedirectHttpResponseCode()),
		}
		if s := m.GetStaticFiles(); s != nil {
			h.Static = staticFiles(s)
		}
		if m.GetApiEndpoint() != nil {
			h.Script = "auto"
		}
		out = append(out, h)
	}
	return out
}

func staticFiles(s *appenginepb.StaticFilesHandler) *appengine.StaticFiles {
	out := &appengine.StaticFiles{
		Path:                s.GetPath(),
		Upload:              s.GetUploadPathRegex(),
		MIMEType:            s.GetMimeType(),
		Expiration:          optional(s.GetExpiration()),
		RequireMatchingFile: s.GetRequireMatchingFile(),
		ApplicationReadable: s.GetApplicationReadable(),
	}
	for _, name := range slices.Sorted(maps.Keys(s.GetHttpHeaders())) {
		out.Headers = append(out.Headers, sunya.Header{Name: name, Value: s.GetHttpHeaders()[name]})
	}
	return out
}

func errorHandlers(hs []*appenginepb.ErrorHandler) []appengine.ErrorHandler {
	codes := map[appenginepb.ErrorHandler_ErrorCode]string{
		appenginepb.ErrorHandler_ERROR_CODE_UNSPECIFIED:    "default",
		appenginepb.ErrorHandler_ERROR_CODE_OVER_QUOTA:     "over_quota",
		appenginepb.ErrorHandler_ERROR_CODE_DOS_API_DENIAL: "dos_api_denial",
		appenginepb.ErrorHandler_ERROR_CODE_TIMEOUT:        "timeout",
	}
	var out []appengine.ErrorHandler
	for _, h := range hs {
		code, ok := codes[h.GetErrorCode()]
		if !ok {
			code = h.GetErrorCode().String()
		}
		out = append(out, appengine.ErrorHandler{Code: code, File: h.GetStaticFile(), MIMEType: h.GetMimeType()})
	}
	return out
}

func secure(l appenginepb.SecurityLevel) sunya.Secure {
	switch l {
	case appenginepb.SecurityLevel_SECURE_ALWAYS:
		return sunya.SecureAlways
	case appenginepb.SecurityLevel_SECURE_NEVER:
		return sunya.SecureNever
	}
	return sunya.SecureOptional
}

// redirectCode reads the number that the enum's names end with.
func redirectCode(c appenginepb.UrlMap_RedirectHttpResponseCode) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(c.String(), "REDIRECT_HTTP_RESPONSE_CODE_")) // UNSPECIFIED is 0
	return n
}

// optional is a duration that may be missing.
func optional(d *durationpb.Duration) *time.Duration {
	if d == nil {
		return nil
	}
	v := d.AsDuration()
	return &v
}
