package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEventRequest(t *testing.T) {
	const head = `{"specversion":"1.0","id":"1","source":"//x","type":"t"`
	tests := []struct{ event, want string }{
		{head + `,"data":{"a":1}}`, `application/json {"a":1}`},
		{head + `}`, `application/json null`},
		{head + `,"data":"a\nb","datacontenttype":"text/plain"}`, "text/plain a\nb"},
		{head + `,"data":"a","datacontenttype":"application/json"}`, `application/json "a"`},
		{head + `,"data_base64":"aGk=","datacontenttype":"image/png"}`, "image/png hi"},
		{head + `,"data_base64":"aGk"}`, "data_base64 is not base64"},
		{head + `,"subject":"a b\"é%"}`, "subject a%20b%22%C3%A9%25"},
		{head + `,"a\r\nb":"c"}`, "is not the name of an attribute"},
		{`{"specversion":"1.0","id":"1","type":"t"}`, "source is missing"},
		{`[]`, "not a JSON object"},
	}
	for _, tt := range tests {
		got := ""
		req, err := eventRequest(t.Context(), "http://x", tt.event)
		if err != nil {
			got = err.Error()
		} else {
			body, _ := io.ReadAll(req.Body)
			got = req.Header.Get("Content-Type") + " " + string(body) + " subject " + req.Header.Get("ce-subject")
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.event, got, tt.want)
		}
	}
}

func FuzzEventRequest(f *testing.F) {
	f.Add(`{"specversion":"1.0","id":"1","source":"//x","type":"t","data":{},"x":[1,{}],"time":null}`)
	f.Fuzz(func(t *testing.T, event string) {
		req, err := eventRequest(t.Context(), "http://x", event)
		if err == nil && req.Header.Get("ce-id") == "" {
			t.Errorf("%q has no id", event)
		}
	})
}

func TestEventText(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"e.json": "{1}", "empty": " "} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := &Env{Dir: dir, Stdin: strings.NewReader("{2}")}
	for event, want := range map[string]string{
		"": "", ` {"a":1}`: `{"a":1}`, "e.json": "{1}", "-": "{2}", "nope": "neither a JSON object nor a file", "empty": "is empty",
	} {
		got, err := eventText(env, event)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q, want %q", event, got, want)
		}
	}
}
