package appengine

import (
	"slices"

	"github.com/sunya-cloud/sunya"
)

// rule is what happens to a part of a version that this server does not act
// on. Exactly one of the texts is set.
type rule struct {
	warn   string // accepted, stored, returned, and said
	refuse string // ignoring it would be wrong: UNIMPLEMENTED
}

// Feature is a part of a version that a client has set: the name of an API
// field, or a field and the value that matters ("handlers.login").
type Feature string

// rules holds for what is set and not acted on. A feature that is neither here
// nor known is warned about.
func rules() map[Feature]rule {
	const ignored = "not supported yet; it is stored and has no effect"
	return map[Feature]rule{
		"inboundServices":           {warn: "only warmup is supported; mail and the like are stored and have no effect"},
		"betaSettings":              {warn: ignored},
		"vpcAccessConnector":        {warn: "not needed here; the program reaches private addresses without it"},
		"libraries":                 {warn: "only for first-generation runtimes; list packages in requirements.txt"},
		"apiConfig":                 {warn: "only for first-generation runtimes; it has no effect"},
		"threadsafe":                {warn: "only for first-generation runtimes; it has no effect"},
		"runtimeApiVersion":         {warn: "only for first-generation runtimes; it has no effect"},
		"nobuildFilesRegex":         {warn: "only for first-generation runtimes; it has no effect"},
		"runtimeChannel":            {warn: ignored},
		"zones":                     {warn: "only for the flexible environment; it has no effect"},
		"network":                   {warn: "only for the flexible environment; it has no effect"},
		"resources":                 {warn: "only for the flexible environment; choose an instance class"},
		"healthCheck":               {warn: "only for the flexible environment; it has no effect"},
		"readinessCheck":            {warn: "only for the flexible environment; it has no effect"},
		"livenessCheck":             {warn: "only for the flexible environment; it has no effect"},
		"endpointsApiService":       {warn: ignored},
		"automaticScaling.cpu":      {warn: "targetCpuUtilization is stored and has no effect: instances are started by requests, not by their CPU time"},
		"automaticScaling.flexible": {warn: "holds settings of the flexible environment; they have no effect"},
		"handlers.apiEndpoint":      {warn: "belongs to Cloud Endpoints; the requests go to the program"},
		"handlers.login":            {refuse: "login: required and admin need user accounts, which are not supported yet: leave login away only if everybody may see the page"},
		"vpcAccessConnector.egress": {refuse: "egress_setting: all-traffic is not supported yet: use private-ranges-only"},
		"appEngineApis":             {refuse: "the bundled services (app_engine_apis) do not exist here: remove the key and use client libraries"},
		"flexible":                  {refuse: "the flexible environment does not exist here: remove env: flex, and use a runtime such as python311"},
		"deployment.container":      {refuse: "container images belong to the flexible environment: deploy files or zip"},
		"servingStatus.STOPPED":     {refuse: "a version cannot be created stopped yet: leave servingStatus away"},
	}
}

// judge returns the warnings for what a client has set, or the error for the
// first feature that must not be ignored.
func judge(features []Feature) (warnings []string, err error) {
	table := rules()
	for _, f := range slices.Sorted(slices.Values(features)) {
		r, known := table[f]
		switch {
		case !known:
			warnings = append(warnings, string(f)+": not known to this server; it has no effect")
		case r.refuse != "":
			return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "version." + string(f), Message: r.refuse}
		default:
			warnings = append(warnings, string(f)+": "+r.warn)
		}
	}
	return warnings, nil
}
