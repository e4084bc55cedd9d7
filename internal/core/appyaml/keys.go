package appyaml

import (
	"regexp"

	"go.yaml.in/yaml/v3"
)

var (
	runtimeRE = regexp.MustCompile(`^[a-z][a-z0-9\-.]{0,29}$`)
	serviceRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	anyRE     = regexp.MustCompile(`(?s)^.*$`)
	classRE   = regexp.MustCompile(`^(F1|F2|F4|F4_1G|B1|B2|B4|B4_1G|B8)$`)
)

const serviceAllowed = "1 to 63 lower-case letters, digits and dashes, not beginning or ending with a dash"

// Words for what is accepted and not acted upon.
const (
	notYet     = "not supported yet"
	flexOnly   = "belongs to the flexible environment; it changes nothing here"
	legacyOnly = "belongs to first-generation runtimes; it changes nothing here"
)

// topLevel is the table of every key that Google knows.
func (p *parser) topLevel() []field {
	c := p.cfg
	fields := []field{
		{"runtime", p.runtime},
		{"service", p.service},
		{"module", p.service},
		{"entrypoint", p.pattern(&c.Entrypoint, anyRE, "a shell line")},
		{"instance_class", p.pattern(&c.InstanceClass, classRE, "F1, F2, F4, F4_1G (automatic scaling) or B1, B2, B4, B4_1G, B8 (basic and manual scaling)")},
		{"env_variables", p.variables(&c.Env, "GAE", "X_GOOGLE_")},
		{"build_env_variables", p.variables(&c.BuildEnv)},
		{"main", p.pattern(&c.Main, anyRE, "a path")},
		{"automatic_scaling", p.automaticScaling},
		{"basic_scaling", p.basicScaling},
		{"manual_scaling", p.manualScaling},
		{"env", p.environment},
		{"handlers", p.handlers},
		{"app_engine_apis", p.bundledAPIs},
		{"app_engine_bundled_services", p.bundledServices},
		{"skip_files", p.skipFiles},
		{"version", p.ignored("ignored, as gcloud does; use --version")},
		{"application", p.ignored("ignored, as gcloud does; use --project")},
		{"project", p.ignored("ignored, as gcloud does; use --project")},
		{"default_expiration", p.defaultExpiration},
		{"error_handlers", p.errorHandlers},
		{"inbound_services", p.inboundServices},
		{"vpc_access_connector", p.connector},
		{"service_account", p.pattern(&c.ServiceAccount, accountRE, "the e-mail address of a service account")},
	}
	for i := range fields {
		fields[i].apply = p.seen(fields[i].apply)
	}
	fields = append(fields, p.inert(flexOnly, "beta_settings", "network", "resources", "readiness_check", "liveness_check", "health_check", "zones", "standard_websocket", "endpoints_api_service")...)
	return append(fields, p.inert(legacyOnly, "runtime_channel", "runtime_config", "libraries", "threadsafe", "api_version", "builtins", "includes", "nobuild_files", "code_lock", "auto_id_policy", "admin_console", "api_config", "datastore_auto_id_policy", "pagespeed")...)
}

// inert makes fields that are accepted, named in a warning, and nothing else.
func (p *parser) inert(why string, keys ...string) []field {
	out := make([]field, len(keys))
	for i, k := range keys {
		out[i] = field{k, p.ignored(why)}
	}
	return out
}

func (p *parser) ignored(why string) func(string, int, *yaml.Node) error {
	return func(key string, line int, _ *yaml.Node) error {
		p.warn(key, line, why)
		return nil
	}
}

// seen remembers where a key stands, for the rules between keys.
func (p *parser) seen(next func(string, int, *yaml.Node) error) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		p.lines[key] = line
		return next(key, line, v)
	}
}

// firstGeneration runtimes ran inside Google's own patched interpreters. Each has
// a current one of its language. Some ids are the flexible environment's, too.
var firstGeneration = map[string]string{
	"python": "python311", "python27": "python311",
	"java": "java21", "java7": "java21", "java8": "java21",
	"php": "php83", "php55": "php83",
	"go": "go125", "go18": "go125", "go19": "go125", "go1.8": "go125", "go1.9": "go125",
}

func (p *parser) runtime(key string, line int, v *yaml.Node) error {
	if err := p.pattern(&p.cfg.Runtime, runtimeRE, "a runtime id such as python311")(key, line, v); err != nil {
		return err
	}
	switch current, old := firstGeneration[p.cfg.Runtime]; {
	case old:
		p.ended = p.refuse(line, "runtime %q is of the first generation, which no longer exists outside old apps; move to a current one such as %s", p.cfg.Runtime, current)
	case p.cfg.Runtime == "custom":
		p.ended = p.refuse(line, "runtime \"custom\" belongs to the flexible environment; name a standard runtime such as python311")
	}
	return nil
}

func (p *parser) service(key string, line int, v *yaml.Node) error {
	return p.pattern(&p.cfg.Service, serviceRE, serviceAllowed)(key, line, v)
}

func (p *parser) environment(key string, line int, v *yaml.Node) error {
	s, err := p.text(key, line, v)
	if err != nil {
		return err
	}
	switch s {
	case "standard", "1":
		return nil
	case "flex", "flexible", "2":
		return p.refuse(line, "env: %s is the flexible environment, which Sunya does not have; remove the line to deploy to the standard environment", s)
	}
	return p.errorf(line, "%s: %q is not allowed: use standard", key, s)
}

func (p *parser) bundledAPIs(key string, line int, v *yaml.Node) error {
	s, err := p.text(key, line, v)
	if err != nil {
		return err
	}
	switch s {
	case "false":
		return nil
	case "true":
		return p.refuse(line, "%s: the bundled services (memcache, task queues, users, …) are not supported; use client libraries and remove the line", key)
	}
	return p.errorf(line, "%s: %q is not allowed: use true or false", key, s)
}

func (p *parser) bundledServices(key string, line int, v *yaml.Node) error {
	if v.Kind == yaml.SequenceNode && len(v.Content) == 0 {
		return nil
	}
	return p.refuse(line, "%s: the bundled services are not supported; use client libraries and remove the line", key)
}

// skipFiles is refused by gcloud too for every runtime that exists today.
func (p *parser) skipFiles(key string, line int, _ *yaml.Node) error {
	return p.errorf(line, "%s cannot be used with current runtimes; put the patterns into a .gcloudignore file beside app.yaml", key)
}

// finish checks the rules between keys.
func (p *parser) finish() error {
	if p.lines["runtime"] == 0 {
		return p.errorf(1, "key \"runtime\" is missing or has no value: add a line such as \"runtime: python311\"")
	}
	if p.ended != nil {
		return p.ended
	}
	if p.lines["service"] > 0 && p.lines["module"] > 0 {
		return p.errorf(p.lines["module"], "module is the old name of service (line %d): keep only service", p.lines["service"])
	}
	p.finishInbound()
	return p.finishScaling()
}
