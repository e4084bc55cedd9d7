package appyaml

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sunya-cloud/sunya"
)

// MaxDispatch is how many rules a dispatch.yaml may have, and maxDispatchURL how
// long the URL of one may be (reference of dispatch.yaml).
const (
	MaxDispatch    = 20
	maxDispatchURL = 100
)

// DispatchRule is one entry of dispatch.yaml. The first that matches wins.
type DispatchRule struct {
	Domain  string // host, or * and its end
	Path    string // path, or its beginning and *
	Service string // id of the service
}

// ParseDispatch reads the dispatch.yaml in data; errors are those of Parse.
// Without rules, what was there before goes.
func ParseDispatch(name string, data []byte) ([]DispatchRule, error) {
	p := &parser{file: name, cfg: &Config{}, lines: map[string]int{}}
	root, err := p.document(data)
	if err != nil {
		return nil, err
	}
	var rules []DispatchRule
	err = p.mapping(root, name, []field{
		{"dispatch", p.dispatch(&rules)},
		{"application", p.ignored("ignored, as gcloud does; use --project")},
	})
	return rules, err
}

func (p *parser) dispatch(dst *[]DispatchRule) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		if v.Kind != yaml.SequenceNode {
			return p.errorf(line, "%s must be a list of \"- url: …\" entries, not %s", key, kindName(v))
		}
		if len(v.Content) > MaxDispatch {
			return p.errorf(line, "%s has %d rules; at most %d are allowed", key, len(v.Content), MaxDispatch)
		}
		for _, n := range v.Content {
			r, err := p.dispatchRule(follow(n))
			if err != nil {
				return err
			}
			*dst = append(*dst, r)
		}
		return nil
	}
}

func (p *parser) dispatchRule(n *yaml.Node) (DispatchRule, error) {
	var r DispatchRule
	url := func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		if i := strings.IndexByte(s, '/'); i >= 0 {
			r.Domain, r.Path = s[:i], s[i:]
		}
		if err := CheckDispatch(r.Domain, r.Path); err != nil {
			return p.errorf(line, "%s: %q: %s", key, s, problem(err))
		}
		return nil
	}
	service := p.pattern(&r.Service, serviceRE, serviceAllowed)
	err := p.mapping(n, "a dispatch rule", []field{{"url", url}, {"service", service}, {"module", service}})
	switch {
	case err != nil:
		return r, err
	case r.Path == "":
		return r, p.errorf(n.Line, "a dispatch rule needs a url, such as \"*/mobile/*\"")
	case r.Service == "":
		return r, p.errorf(n.Line, "a dispatch rule needs a service")
	}
	return r, nil
}

var (
	domainRE       = regexp.MustCompile(`^(\*|\*?[a-z0-9.-]*[a-z0-9])$`)
	ipv4RE         = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,3}){3}$`)
	dispatchPathRE = regexp.MustCompile(`^/[^*]*\*?$`)
)

// CheckDispatch holds for the domain and path of a dispatch rule, whether they
// come from a file or over the API.
func CheckDispatch(domain, path string) error {
	switch {
	case domain == "" || path == "":
		return sunya.Invalid("", "write HOST/PATH, such as */mobile/* or www.example.com/*")
	case len(domain)+len(path) > maxDispatchURL:
		return sunya.Invalid("", "host and path have %d characters together, more than %d", len(domain)+len(path), maxDispatchURL)
	case ipv4RE.MatchString(domain):
		return sunya.Invalid("", "the host may not be an IP address")
	case !domainRE.MatchString(domain):
		return sunya.Invalid("", "the host must be a name in lower case; one * is allowed, at its beginning")
	case !dispatchPathRE.MatchString(path):
		return sunya.Invalid("", "the path may have one *, at its end")
	}
	return nil
}
