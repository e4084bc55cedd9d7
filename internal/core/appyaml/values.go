package appyaml

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// text returns a scalar as it was written.
func (p *parser) text(key string, line int, v *yaml.Node) (string, error) {
	if v.Kind != yaml.ScalarNode || isNull(v) {
		return "", p.errorf(line, "%s needs a text, not %s", key, kindName(v))
	}
	if strings.ContainsRune(v.Value, 0) {
		return "", p.errorf(line, "%s holds a NUL byte", key)
	}
	return v.Value, nil
}

// pattern stores a text that matches re; allowed says in words what re means.
func (p *parser) pattern(dst *string, re *regexp.Regexp, allowed string) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		if !re.MatchString(s) {
			return p.errorf(line, "%s: %q is not allowed: use %s", key, s, allowed)
		}
		*dst = s
		return nil
	}
}

// integer stores a number between low and high.
func (p *parser) integer(dst *int, low, high int) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return p.errorf(line, "%s: %q is not allowed: use a whole number from %d to %d", key, s, low, high)
		}
		*dst = n
		return nil
	}
}

// fraction stores a utilisation target.
func (p *parser) fraction(dst *float64) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f >= 0.5 && f <= 0.95) {
			return p.errorf(line, "%s: %q is not allowed: use a number from 0.5 to 0.95", key, s)
		}
		*dst = f
		return nil
	}
}

// durationRE is a number of at most nine digits, so that no unit overflows.
var durationRE = regexp.MustCompile(`^([0-9]{1,9}(\.[0-9]{1,9})?)(ms|s|m)$`)

// duration stores a time with one of the units; allowed is an example.
func (p *parser) duration(dst *time.Duration, units, allowed string) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		m := durationRE.FindStringSubmatch(s)
		if m == nil || !strings.Contains(units, " "+m[3]+" ") {
			return p.errorf(line, "%s: %q is not allowed: use a time such as %s", key, s, allowed)
		}
		d, err := time.ParseDuration(s)
		if err != nil {
			return p.errorf(line, "%s: %q is not allowed: use a time such as %s", key, s, allowed)
		}
		*dst = d
		return nil
	}
}

// expiration stores how long a file may be kept by caches.
func (p *parser) expiration(dst **time.Duration) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		d, err := ParseExpiration(s)
		if err != nil {
			return p.errorf(line, "%s: %s", key, problem(err))
		}
		*dst = &d
		return nil
	}
}

// boolean stores one of the words that YAML 1.1 has for it.
func (p *parser) boolean(dst *bool) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		switch strings.ToLower(s) {
		case "true", "yes", "on", "y":
			*dst = true
		case "false", "no", "off", "n":
			*dst = false
		default:
			return p.errorf(line, "%s: %q is not allowed: use true or false", key, s)
		}
		return nil
	}
}

// oneOf stores one of a few words.
func (p *parser) oneOf(dst *string, words ...string) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		s, err := p.text(key, line, v)
		if err != nil {
			return err
		}
		if !slices.Contains(words, s) {
			return p.errorf(line, "%s: %q is not allowed: use %s", key, s, strings.Join(words, ", "))
		}
		*dst = s
		return nil
	}
}

// orAutomatic lets the word automatic stand for the default.
func orAutomatic(next func(string, int, *yaml.Node) error) func(string, int, *yaml.Node) error {
	return orWord("automatic", next)
}

// orWord lets a word stand for the default.
func orWord(word string, next func(string, int, *yaml.Node) error) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		if v.Kind == yaml.ScalarNode && v.Value == word {
			return nil
		}
		return next(key, line, v)
	}
}

// noted does next and says that Sunya does not act on the value yet.
func (p *parser) noted(why string, next func(string, int, *yaml.Node) error) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		if err := next(key, line, v); err != nil {
			return err
		}
		p.warn(key, line, why)
		return nil
	}
}

// envNameRE is what Google allows as the name of a variable.
var envNameRE = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// variables stores a mapping of environment variables, values as written.
func (p *parser) variables(dst *map[string]string, reserved ...string) func(string, int, *yaml.Node) error {
	return func(key string, line int, v *yaml.Node) error {
		pairs, err := p.pairs(v, key)
		if err != nil {
			return err
		}
		*dst = make(map[string]string, len(pairs))
		for _, kv := range pairs {
			if err := p.variable(*dst, key, kv, reserved); err != nil {
				return err
			}
		}
		return nil
	}
}

func (p *parser) variable(dst map[string]string, block string, kv pair, reserved []string) error {
	if !envNameRE.MatchString(kv.key) {
		return p.errorf(kv.line, "%s: %q is not a variable name: use letters, digits and underscores, not beginning with a digit", block, kv.key)
	}
	for _, prefix := range reserved {
		if strings.HasPrefix(kv.key, prefix) {
			return p.errorf(kv.line, "%s: %q is not allowed: names beginning with %s are set by the platform", block, kv.key, prefix)
		}
	}
	if kv.value.Kind != yaml.ScalarNode {
		return p.errorf(kv.line, "%s: %s needs a text, not %s", block, kv.key, kindName(kv.value))
	}
	if strings.ContainsRune(kv.value.Value, 0) {
		return p.errorf(kv.line, "%s: %s holds a NUL byte", block, kv.key)
	}
	dst[kv.key] = kv.value.Value
	if isNull(kv.value) {
		dst[kv.key] = ""
	}
	return nil
}
