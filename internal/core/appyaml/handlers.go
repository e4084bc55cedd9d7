package appyaml

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// maxHandlers is Google's limit.
const maxHandlers = 100

// handlerKeys are the keys of one handler.
var handlerKeys = []string{
	"url", "script", "static_dir", "static_files", "upload", "mime_type", "expiration", "http_headers",
	"require_matching_file", "application_readable", "secure", "redirect_http_response_code", "login",
	"auth_fail_action", "position", "api_endpoint",
}

// handlers checks the list and says what of it changes nothing yet. A list that
// sends everything to the app, which is what Sunya does, needs no warning.
func (p *parser) handlers(key string, line int, v *yaml.Node) error {
	if v.Kind != yaml.SequenceNode {
		return p.errorf(line, "%s must be a list of \"- url: …\" entries, not %s", key, kindName(v))
	}
	if len(v.Content) > maxHandlers {
		return p.errorf(line, "%s has %d entries; at most %d are allowed", key, len(v.Content), maxHandlers)
	}
	plain := true
	for _, n := range v.Content {
		ok, err := p.handler(n)
		if err != nil {
			return err
		}
		plain = plain && ok
	}
	if !plain {
		p.warn(key, line, notYet+"; requests for static files go to the app")
	}
	return nil
}

// handler checks one entry and reports whether ignoring it changes nothing.
func (p *parser) handler(n *yaml.Node) (plain bool, err error) {
	pairs, err := p.pairs(n, "a handler")
	if err != nil {
		return false, err
	}
	plain = true
	hasURL := false
	for _, kv := range pairs {
		if !slices.Contains(handlerKeys, kv.key) {
			return false, p.errorf(kv.line, "unknown key %q in a handler%s", kv.key, hint(kv.key, handlerKeys))
		}
		ok, err := p.handlerKey(kv)
		if err != nil {
			return false, err
		}
		plain = plain && ok
		hasURL = hasURL || kv.key == "url"
	}
	if !hasURL {
		return false, p.errorf(n.Line, "a handler needs a url")
	}
	return plain, nil
}

func (p *parser) handlerKey(kv pair) (plain bool, err error) {
	switch kv.key {
	case "url":
		url, err := p.text("url", kv.line, kv.value)
		return url == "/.*" || url == ".*", err
	case "script":
		script, err := p.text("script", kv.line, kv.value)
		if err == nil && script != "auto" {
			err = p.errorf(kv.line, "script: %q is not allowed: current runtimes know only auto", script)
		}
		return true, err
	case "login":
		login, err := p.text("login", kv.line, kv.value)
		if err == nil && login != "optional" {
			err = p.refuse(kv.line, "login: %s is not supported, and without it the pages would be open to everybody; check the user in the app and remove the line", login)
		}
		return true, err
	case "secure":
		secure, err := p.text("secure", kv.line, kv.value)
		return secure == "optional" || secure == "default", err
	}
	return kv.key == "position" || kv.key == "api_endpoint", nil
}
