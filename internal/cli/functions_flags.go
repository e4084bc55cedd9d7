package cli

import (
	"slices"
	"strings"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"github.com/spf13/pflag"
)

// functionOptions are the flags of functions deploy.
type functionOptions struct {
	machineFlags
	servingFlags
	trigger                                 triggerFlags
	runtime, entryPoint, source, ignoreFile string
	buildEnv                                mapFlags
	triggerHTTP, gen2, open                 bool
	ingress, signature, security            string
	refused, idle                           []string // what was given and cannot be had, or has no effect: "--flag: why"
	changed                                 func(flag string) bool
}

// register adds the flags: all of gcloud's. Help shows those that most need;
// docs/functions.md has all.
func (o *functionOptions) register(f *pflag.FlagSet) {
	f.StringVar(&o.runtime, "runtime", "", "runtime id, such as python311 (needed for a new function)")
	f.StringVar(&o.entryPoint, "entry-point", "", "name of the function in the source (default: NAME)")
	f.StringVar(&o.signature, "signature-type", "", "how it is called, where its source does not say: http, event, cloudevent, typed")
	f.StringVar(&o.source, "source", ".", "directory of the source, or gs://BUCKET/ARCHIVE.zip")
	f.StringVar(&o.ignoreFile, "ignore-file", "", "file of the source with ignore rules, instead of .gcloudignore")
	registerMachine(f, "256Mi (the default) or 1Gi", "1 or 0.5 (default: by memory)", func() *machineFlags { return &o.machineFlags })
	o.servingFlags.register(f, "60s (the default)", "(default 1)")
	switchFlag(f, "clear-min-instances", "keep no instances ready", func(bool) { o.minInstances = 0 })
	switchFlag(f, "clear-max-instances", "have as many instances as there are without a number", func(bool) { o.maxInstances = 0 })
	textFlag(f, "run-service-account", "the same as --service-account", func(v string) error { o.account = v; return nil })
	build := func() *mapFlags { return &o.buildEnv }
	registerMap(f, "build-env-vars", "variables of the build", build)
	registerMapFile(f, "build-env-vars", "variables of the build", build)
	f.StringVar(&o.ingress, "ingress-settings", "all", "from where it is reached: all, internal-only, internal-and-gclb")
	f.StringVar(&o.security, "security-level", "", "of the first generation, stored: secure-always, secure-optional")
	accessFlag(f, &o.open)
	boolFlag(f, &o.triggerHTTP, "trigger-http", true, "called by HTTP requests, not by events")
	o.trigger.register(f)
	boolFlag(f, &o.gen2, "gen2", true, "second generation; --no-gen2: the first (default: as the function is)")
	switchFlag(f, "v2", "the same as --gen2", func(yes bool) { o.gen2 = yes })
	hide(f, "gen2", "no-gen2", "v2", "trigger-http", "no-trigger-http", "ingress-settings", "set-build-env-vars", "update-build-env-vars",
		"clear-min-instances", "clear-max-instances", "run-service-account", "ignore-file", "security-level")
	o.registerMissing(f)
}

// missingFlag is a flag of gcloud's that cannot do anything here.
type missingFlag struct {
	names   string // separated by spaces; "!" behind one: it takes no value
	why     string
	refused bool // the function would not be what was asked for
}

const (
	noChannels = "there are no channels of partners here"
	noSecrets  = "there is no Secret Manager here yet: use --set-env-vars"
	noNetworks = "private addresses are reached without it"
)

var missingFlags = []missingFlag{
	{"trigger-channel", noChannels, true},
	{"set-secrets update-secrets", noSecrets, true},
	{"remove-secrets clear-secrets!", "there are no secrets here", false},
	{"vpc-connector clear-vpc-connector! network subnet network-tags direct-vpc-egress clear-network! clear-network-tags!", noNetworks, false},
	{"build-worker-pool clear-build-worker-pool! build-service-account clear-build-service-account!", "builds run on this server, and have no account", false},
	{"docker-registry docker-repository clear-docker-repository!", "there is no image to push", false},
	{"kms-key clear-kms-key!", "sources are kept as they are", false},
	{"stage-bucket", "the source is uploaded to a bucket of the server's own", false},
	{"binary-authorization clear-binary-authorization!", "there is no policy for images here", false},
	{"runtime-update-policy", "a runtime is this machine's, and updated with it", false},
	{"serve-all-traffic-latest-revision!", "a deploy always moves all traffic to the new revision", false},
	{"buildpack-stack", "there are no stacks here", false},
}

// registerMissing takes the flags that do nothing, so that a line written for
// gcloud works, or says what is missing.
func (o *functionOptions) registerMissing(f *pflag.FlagSet) {
	for _, m := range missingFlags {
		for name := range strings.FieldsSeq(m.names) {
			name, isSwitch := strings.CutSuffix(name, "!")
			note := func() {
				if m.refused {
					o.refused = append(o.refused, "--"+name+": "+m.why)
				} else {
					o.idle = append(o.idle, "--"+name+" has no effect: "+m.why)
				}
			}
			if isSwitch {
				switchFlag(f, name, m.why, func(yes bool) {
					if yes {
						note()
					}
				})
				f.Lookup("no-" + name).Hidden = true
			} else {
				textFlag(f, name, m.why, func(string) error { note(); return nil })
			}
			hide(f, name)
		}
	}
	textFlag(f, "egress-settings", "private-ranges-only", func(v string) error {
		if v != "private-ranges-only" {
			o.refused = append(o.refused, "--egress-settings: "+v+" is not supported yet: use private-ranges-only")
		}
		return nil
	})
	hide(f, "egress-settings")
}

// functionSignatures are the ways in which functions frameworks call a function.
var functionSignatures = []string{"http", "event", "cloudevent", "typed"}

// signatureVar is the build variable that says the signature.
const signatureVar = "GOOGLE_FUNCTION_SIGNATURE_TYPE"

// ingressKinds are the values of --ingress-settings, and of the APIs.
var ingressKinds = map[string]int32{"all": 1, "internal-only": 2, "internal-and-gclb": 3}

// functionSecurity are those of --security-level.
var functionSecurity = []string{"", "secure-always", "secure-optional"}

// check looks at what can be said without the server.
func (o *functionOptions) check() error {
	switch {
	case len(o.refused) > 0:
		return usagef("%s", o.refused[0])
	case !o.triggerHTTP && !o.trigger.given():
		return usagef("--no-trigger-http: say which events the function runs for: --trigger-topic, --trigger-bucket or --trigger-event-filters")
	case o.changed("trigger-http") && o.trigger.given():
		return usagef("a function is called by requests or by events: give --trigger-http or another trigger")
	case o.changed("trigger-http") && o.trigger.retry:
		return usagef("--retry: requests are not retried: it is for events")
	case ingressKinds[o.ingress] == 0:
		return usagef("--ingress-settings: %q is not known: use all, internal-only or internal-and-gclb", o.ingress)
	case !slices.Contains(functionSecurity, o.security):
		return usagef("--security-level: %q is not known: use secure-always or secure-optional", o.security)
	case o.signature != "" && !slices.Contains(functionSignatures, o.signature):
		return usagef("--signature-type: %q is not known: use %s", o.signature, strings.Join(functionSignatures, ", "))
	}
	if err := o.trigger.check(); err != nil {
		return err
	}
	for _, m := range []*mapFlags{&o.labels, &o.env, &o.buildEnv} {
		if err := m.check(); err != nil {
			return err
		}
	}
	return nil
}

// firstGeneration decides of which generation a function is to be: as a flag
// says, else as it is, else the second.
func (o *functionOptions) firstGeneration(id string, old *functionspb.Function) (bool, error) {
	asked := o.changed("gen2") || o.changed("no-gen2") || o.changed("v2") || o.changed("no-v2")
	first := asked && !o.gen2
	if old != nil {
		is := old.GetEnvironment() == functionspb.Environment_GEN_1
		if asked && first != is {
			generation, flag := "second", "--gen2"
			if is {
				generation, flag = "first", "--no-gen2"
			}
			return false, usagef("%s is of the %s generation: use %s or neither flag, or delete it first (sunya functions delete %s)", id, generation, flag, id)
		}
		first = is
	}
	if first {
		for _, flag := range []string{"concurrency", "cpu"} {
			if o.changed(flag) {
				return false, usagef("--%s: functions of the first generation take one request at a time, on the CPU that goes with their memory: use --gen2", flag)
			}
		}
	}
	return first, nil
}

// functionMaps are the maps of a function after the flags.
type functionMaps struct{ env, build, labels map[string]string }

func (o *functionOptions) maps(old *functionspb.Function, dir string) (m functionMaps, err error) {
	if m.env, err = o.env.apply(old.GetServiceConfig().GetEnvironmentVariables(), dir); err != nil {
		return m, err
	}
	if m.labels, err = o.labels.apply(old.GetLabels(), dir); err != nil {
		return m, err
	}
	if m.build, err = o.buildEnv.apply(old.GetBuildConfig().GetEnvironmentVariables(), dir); err != nil {
		return m, err
	}
	if o.signature != "" {
		m.build = added(m.build, map[string]string{signatureVar: o.signature})
	}
	return m, nil
}

// functionPaths are the fields of one generation's API.
type functionPaths struct {
	flags                 []flagPath
	env, buildEnv, labels string
	trigger, retry        string
}

// flagPath is a flag and the field that it changes.
type flagPath struct{ flag, path string }

var secondPaths = functionPaths{
	flags: []flagPath{
		{"runtime", "build_config.runtime"}, {"entry-point", "build_config.entry_point"},
		{"memory", "service_config.available_memory"}, {"cpu", "service_config.available_cpu"}, {"timeout", "service_config.timeout_seconds"},
		{"concurrency", "service_config.max_instance_request_concurrency"},
		{"min-instances", "service_config.min_instance_count"}, {"clear-min-instances", "service_config.min_instance_count"},
		{"max-instances", "service_config.max_instance_count"}, {"clear-max-instances", "service_config.max_instance_count"},
		{"service-account", "service_config.service_account_email"}, {"run-service-account", "service_config.service_account_email"},
		{"ingress-settings", "service_config.ingress_settings"},
	},
	env: "service_config.environment_variables", buildEnv: "build_config.environment_variables", labels: "labels",
	trigger: "event_trigger", retry: "event_trigger.retry_policy",
}

// triggerPaths are the flags that change what runs the function, but for
// --retry alone.
var triggerPaths = []string{"trigger-http", "trigger-topic", "trigger-bucket", "trigger-event", "trigger-event-filters"}

// paths are the fields that the flags change.
func (o *functionOptions) paths(p functionPaths) []string {
	var out []string
	add := func(path string) {
		if !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	for _, f := range p.flags {
		if o.changed(f.flag) {
			add(f.path)
		}
	}
	switch {
	case slices.ContainsFunc(triggerPaths, o.changed):
		add(p.trigger)
	case o.changed("retry") || o.changed("no-retry"):
		add(p.retry)
	}
	if o.env.given() {
		add(p.env)
	}
	if o.buildEnv.given() || o.signature != "" {
		add(p.buildEnv)
	}
	if o.labels.given() {
		add(p.labels)
	}
	return out
}
