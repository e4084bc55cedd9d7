package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxEvent is the size of an event from a file or from stdin, in bytes.
const maxEvent = 32 << 20

// eventText is the event that --cloud-event stands for: itself where it is JSON,
// else what the file of that name holds.
func eventText(env *Env, event string) (string, error) {
	in := env.Stdin
	switch trimmed := strings.TrimSpace(event); {
	case trimmed == "" || trimmed[0] == '{':
		return trimmed, nil
	case trimmed == "-":
	default:
		path := event
		if !filepath.IsAbs(path) {
			path = filepath.Join(env.Dir, path)
		}
		f, err := os.Open(path)
		if err != nil {
			return "", usagef("--cloud-event: %q is neither a JSON object nor a file that can be read", event)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxEvent))
	if err != nil {
		return "", fmt.Errorf("read event: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return "", usagef("--cloud-event: %s is empty", event)
	}
	return string(data), nil
}

// eventRequest is an event in the binary mode of CloudEvents: attributes are
// headers, the data is the body (CloudEvents 1.0, HTTP binding §3.1).
func eventRequest(ctx context.Context, url, event string) (*http.Request, error) {
	var attributes map[string]any
	if err := json.Unmarshal([]byte(event), &attributes); err != nil {
		return nil, usagef("--cloud-event: not a JSON object: %v", err)
	}
	kind := "application/json"
	if t, ok := attributes["datacontenttype"].(string); ok {
		kind = t
	}
	body, err := eventBody(attributes, kind)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind)
	for name, value := range attributes {
		switch name {
		case "data", "data_base64", "datacontenttype":
			continue
		}
		if !attributeRE.MatchString(name) {
			return nil, usagef("--cloud-event: %q is not the name of an attribute: they have lower-case letters and digits", name)
		}
		req.Header.Set("ce-"+name, attributeValue(fmt.Sprint(value)))
	}
	for _, needed := range []string{"id", "source", "type", "specversion"} {
		if req.Header.Get("ce-"+needed) == "" {
			return nil, usagef("--cloud-event: %s is missing: every event has id, source, type and specversion", needed)
		}
	}
	return req, nil
}

// attributeRE is the name of an attribute (CloudEvents 1.0 §3).
var attributeRE = regexp.MustCompile(`^[a-z0-9]{1,64}$`)

// eventBody is the data of an event as the body of a request: JSON, or what a
// string of another content type says.
func eventBody(attributes map[string]any, kind string) ([]byte, error) {
	if coded, ok := attributes["data_base64"].(string); ok {
		body, err := base64.StdEncoding.DecodeString(coded)
		if err != nil {
			return nil, usagef("--cloud-event: data_base64 is not base64: %v", err)
		}
		return body, nil
	}
	if text, ok := attributes["data"].(string); ok && !strings.Contains(kind, "json") {
		return []byte(text), nil
	}
	body, err := json.Marshal(attributes["data"])
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return body, nil
}

// attributeValue is the value of an attribute as a header: what is not printable
// ASCII, and space, quote and percent, is percent-encoded (HTTP binding §3.1.3.2).
func attributeValue(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
