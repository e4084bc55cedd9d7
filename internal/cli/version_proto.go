package cli

import (
	"time"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/sunya-cloud/sunya/internal/core/appyaml"
	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

// objectURL is how App Engine's API names an uploaded file.
const objectURL = "https://storage.googleapis.com/"

// versionOf is the request that an app.yaml and its files make.
func versionOf(cfg *appyaml.Config, id, bucket string, files []ignore.File) *appenginepb.Version {
	v := &appenginepb.Version{
		Id:                        id,
		Runtime:                   cfg.Runtime,
		Env:                       "standard",
		InstanceClass:             cfg.InstanceClass,
		EnvVariables:              cfg.Env,
		BuildEnvVariables:         cfg.BuildEnv,
		RuntimeMainExecutablePath: cfg.Main,
		Deployment:                &appenginepb.Deployment{Files: manifest(bucket, files)},
	}
	if cfg.Entrypoint != "" {
		v.Entrypoint = &appenginepb.Entrypoint{Command: &appenginepb.Entrypoint_Shell{Shell: cfg.Entrypoint}}
	}
	front(v, cfg)
	scale(v, cfg)
	cloud(v, cfg)
	return v
}

// inboundServices are the values of app.yaml's key in the API.
var inboundServices = map[string]appenginepb.InboundServiceType{
	"mail":        appenginepb.InboundServiceType_INBOUND_SERVICE_MAIL,
	"mail_bounce": appenginepb.InboundServiceType_INBOUND_SERVICE_MAIL_BOUNCE,
	"warmup":      appenginepb.InboundServiceType_INBOUND_SERVICE_WARMUP,
}

// cloud says how the version stands to the world around it. The API has no
// value for rest.
func cloud(v *appenginepb.Version, cfg *appyaml.Config) {
	for _, s := range cfg.InboundServices {
		if kind, ok := inboundServices[s]; ok {
			v.InboundServices = append(v.InboundServices, kind)
		}
	}
	v.ServiceAccount = cfg.ServiceAccount
	if c := cfg.Connector; c != nil {
		v.VpcAccessConnector = &appenginepb.VpcAccessConnector{Name: c.Name}
		if c.Egress != "" {
			v.VpcAccessConnector.EgressSetting = appenginepb.VpcAccessConnector_PRIVATE_IP_RANGES
		}
	}
}

// front says what the platform answers by itself.
func front(v *appenginepb.Version, cfg *appyaml.Config) {
	for _, h := range cfg.Handlers {
		v.Handlers = append(v.Handlers, urlMap(h))
	}
	for _, h := range cfg.ErrorHandlers {
		v.ErrorHandlers = append(v.ErrorHandlers, &appenginepb.ErrorHandler{
			ErrorCode:  errorCodes[h.Code],
			StaticFile: h.File,
			MimeType:   h.MIMEType,
		})
	}
	if cfg.DefaultExpiration != nil {
		v.DefaultExpiration = durationpb.New(*cfg.DefaultExpiration)
	}
}

// The words of app.yaml in the API's terms.
var (
	errorCodes = map[string]appenginepb.ErrorHandler_ErrorCode{
		"default":        appenginepb.ErrorHandler_ERROR_CODE_DEFAULT,
		"over_quota":     appenginepb.ErrorHandler_ERROR_CODE_OVER_QUOTA,
		"dos_api_denial": appenginepb.ErrorHandler_ERROR_CODE_DOS_API_DENIAL,
		"timeout":        appenginepb.ErrorHandler_ERROR_CODE_TIMEOUT,
	}
	securityLevels = map[string]appenginepb.SecurityLevel{
		"default":  appenginepb.SecurityLevel_SECURE_OPTIONAL, // as gcloud does
		"optional": appenginepb.SecurityLevel_SECURE_OPTIONAL,
		"always":   appenginepb.SecurityLevel_SECURE_ALWAYS,
		"never":    appenginepb.SecurityLevel_SECURE_NEVER,
	}
	redirectCodes = map[int]appenginepb.UrlMap_RedirectHttpResponseCode{
		301: appenginepb.UrlMap_REDIRECT_HTTP_RESPONSE_CODE_301,
		302: appenginepb.UrlMap_REDIRECT_HTTP_RESPONSE_CODE_302,
		303: appenginepb.UrlMap_REDIRECT_HTTP_RESPONSE_CODE_303,
		307: appenginepb.UrlMap_REDIRECT_HTTP_RESPONSE_CODE_307,
	}
	authFailActions = map[string]appenginepb.AuthFailAction{
		"redirect":     appenginepb.AuthFailAction_AUTH_FAIL_ACTION_REDIRECT,
		"unauthorized": appenginepb.AuthFailAction_AUTH_FAIL_ACTION_UNAUTHORIZED,
	}
)

func urlMap(h appyaml.Handler) *appenginepb.UrlMap {
	m := &appenginepb.UrlMap{
		UrlRegex:                 h.URL,
		SecurityLevel:            securityLevels[h.Secure],
		AuthFailAction:           authFailActions[h.AuthFailAction],
		RedirectHttpResponseCode: redirectCodes[h.RedirectCode],
	}
	if h.StaticFiles == "" {
		m.HandlerType = &appenginepb.UrlMap_Script{Script: &appenginepb.ScriptHandler{ScriptPath: "auto"}}
		return m
	}
	s := &appenginepb.StaticFilesHandler{
		Path:                h.StaticFiles,
		UploadPathRegex:     h.Upload,
		MimeType:            h.MIMEType,
		RequireMatchingFile: h.RequireMatchingFile,
		ApplicationReadable: h.ApplicationReadable,
	}
	if h.Expiration != nil {
		s.Expiration = durationpb.New(*h.Expiration)
	}
	for _, v := range h.Headers {
		if s.HttpHeaders == nil {
			s.HttpHeaders = map[string]string{}
		}
		s.HttpHeaders[v.Name] = v.Value
	}
	m.HandlerType = &appenginepb.UrlMap_StaticFiles{StaticFiles: s}
	return m
}

func manifest(bucket string, files []ignore.File) map[string]*appenginepb.FileInfo {
	out := make(map[string]*appenginepb.FileInfo, len(files))
	for _, f := range files {
		out[f.Path] = &appenginepb.FileInfo{SourceUrl: objectURL + bucket + "/" + f.SHA1, Sha1Sum: f.SHA1}
	}
	return out
}

func scale(v *appenginepb.Version, cfg *appyaml.Config) {
	switch {
	case cfg.Automatic != nil:
		v.Scaling = &appenginepb.Version_AutomaticScaling{AutomaticScaling: automatic(cfg.Automatic)}
	case cfg.Basic != nil:
		v.Scaling = &appenginepb.Version_BasicScaling{BasicScaling: &appenginepb.BasicScaling{
			MaxInstances: int32(cfg.Basic.MaxInstances),
			IdleTimeout:  length(cfg.Basic.IdleTimeout),
		}}
	case cfg.Manual != nil:
		v.Scaling = &appenginepb.Version_ManualScaling{ManualScaling: &appenginepb.ManualScaling{
			Instances: int32(cfg.Manual.Instances),
		}}
	}
}

func automatic(a *appyaml.Automatic) *appenginepb.AutomaticScaling {
	return &appenginepb.AutomaticScaling{
		MinIdleInstances:      int32(a.MinIdleInstances),
		MaxIdleInstances:      int32(a.MaxIdleInstances),
		MaxConcurrentRequests: int32(a.MaxConcurrentRequests),
		MinPendingLatency:     length(a.MinPendingLatency),
		MaxPendingLatency:     length(a.MaxPendingLatency),
		StandardSchedulerSettings: &appenginepb.StandardSchedulerSettings{
			TargetCpuUtilization:        a.TargetCPU,
			TargetThroughputUtilization: a.TargetThroughput,
			MinInstances:                int32(a.MinInstances),
			MaxInstances:                int32(a.MaxInstances),
		},
	}
}

// length is a duration, or nothing where the default counts.
func length(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
