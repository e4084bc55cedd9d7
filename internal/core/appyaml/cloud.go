package appyaml

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	// accountRE is loose: who exists is not known here.
	accountRE   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*@[a-z0-9.-]+\.[a-z]+$`)
	connectorRE = regexp.MustCompile(`^projects/[a-z0-9:.-]+/locations/[a-z0-9-]+/connectors/[a-z0-9-]+$`)
)

// inboundKinds are the values of inbound_services for current runtimes.
var inboundKinds = []string{"mail", "mail_bounce", "rest", "warmup"}

// inboundServices stores the list; of its values, warmup is acted upon.
func (p *parser) inboundServices(key string, line int, v *yaml.Node) error {
	if v.Kind != yaml.SequenceNode {
		return p.errorf(line, "%s must be a list, such as [warmup], not %s", key, kindName(v))
	}
	for _, n := range v.Content {
		n = follow(n)
		kind, err := p.text(key, n.Line, n)
		if err != nil {
			return err
		}
		if !slices.Contains(inboundKinds, kind) {
			return p.errorf(n.Line, "%s: %q is not allowed: use %s%s", key, kind, strings.Join(inboundKinds, ", "), hint(kind, inboundKinds))
		}
		if slices.Contains(p.cfg.InboundServices, kind) {
			return p.errorf(n.Line, "%s: %q is named twice", key, kind)
		}
		if kind != "warmup" {
			p.warn(key, n.Line, kind+" is "+notYet)
		}
		p.cfg.InboundServices = append(p.cfg.InboundServices, kind)
	}
	return nil
}

// finishInbound says where warm-up requests are not made.
func (p *parser) finishInbound() {
	if slices.Contains(p.cfg.InboundServices, "warmup") && (p.cfg.Basic != nil || p.cfg.Manual != nil) {
		p.warn("inbound_services", p.lines["inbound_services"], "warmup is for automatic scaling; with basic and manual scaling instances get /_ah/start")
	}
}

// connector stores how the app reaches a private network. Here it does so
// without a connector; what sends everything through one is refused.
func (p *parser) connector(key string, line int, v *yaml.Node) error {
	c := &Connector{}
	p.cfg.Connector = c
	const egress = "egress_setting"
	err := p.mapping(v, key, []field{
		{"name", p.pattern(&c.Name, connectorRE, "projects/PROJECT/locations/REGION/connectors/NAME")},
		{egress, func(k string, at int, n *yaml.Node) error {
			s, err := p.text(k, at, n)
			switch {
			case err != nil:
				return err
			case s == "all-traffic":
				return p.refuse(at, "%s: all-traffic is not supported: public addresses are reached directly; use private-ranges-only", k)
			case s != "private-ranges-only":
				return p.errorf(at, "%s: %q is not allowed: use private-ranges-only", k, s)
			}
			c.Egress = s
			return nil
		}},
	})
	if err != nil {
		return err
	}
	if c.Name == "" {
		return p.errorf(line, "%s needs a name", key)
	}
	p.warn(key, line, fmt.Sprintf("stored and returned; the app reaches private addresses without %s", c.Name))
	return nil
}
