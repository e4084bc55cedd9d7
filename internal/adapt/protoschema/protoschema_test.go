package protoschema

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

const letter = `syntax = "proto3";
message Letter {
  message Stamp { int32 value = 1; }
  enum Kind { PLAIN = 0; FAST = 1; }
  string text = 1;
  Stamp stamp = 2;
  Kind kind = 3;
  repeated string to = 4;
}`

func TestCheck(t *testing.T) {
	f, err := Language{}.Compile(letter)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule     string
		encoding pubsub.Encoding
		message  string
		ok       bool
	}{
		{"JSON", pubsub.JSON, `{"text":"a","stamp":{"value":3},"kind":"FAST","to":["b"]}`, true},
		{"an empty object", pubsub.JSON, `{}`, true},
		{"another type", pubsub.JSON, `{"text":1}`, false},
		{"an unknown field", pubsub.JSON, `{"txt":"a"}`, false},
		{"an unknown symbol", pubsub.JSON, `{"kind":"SLOW"}`, false},
		{"no JSON", pubsub.JSON, `text`, false},
		{"binary", pubsub.Binary, "\x0a\x01a\x12\x02\x08\x03\x18\x01", true},
		{"nothing", pubsub.Binary, "", true},
		{"an unknown number", pubsub.Binary, "\x78\x01", true},
		{"half", pubsub.Binary, "\x0a\x05a", false},
		{"no UTF-8", pubsub.Binary, "\x0a\x01\xff", false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			if err := f.Check(tt.encoding, []byte(tt.message)); (err == nil) != tt.ok {
				t.Errorf("%v, want a match: %v", err, tt.ok)
			}
		})
	}
}

func TestCompile(t *testing.T) {
	const head = `syntax = "proto3"; `
	for _, tt := range []struct {
		rule, definition string
		want             string // in the error; empty: it is good
	}{
		{"proto2", `syntax = "proto2"; message M { required string a = 1; }`, ""},
		{"nothing", "", "0 messages"},
		{"no definition", "message {", "schema.proto:1:9"},
		{"two messages", head + "message M {} message N {}", "2 messages"},
		{"an enum", head + "message M {} enum E { A = 0; }", "1 enums"},
		{"an import", head + `import "google/protobuf/timestamp.proto"; message M { google.protobuf.Timestamp t = 1; }`, "cannot import"},
		{"a file of this machine", head + `import "/etc/passwd"; message M {}`, "cannot import"},
		{"an unknown type", head + "message M { N n = 1; }", "N"},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			_, err := Language{}.Compile(tt.definition)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestCompatible(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(letter, old, new, 1) }
	for _, tt := range []struct {
		rule, next string
		ok         bool
	}{
		{"the same", letter, true},
		{"an optional field more", with("string text = 1;", "string text = 1; bool read = 9;"), true},
		{"an optional field less", with("string text = 1;", ""), true},
		{"a symbol more", with("FAST = 1;", "FAST = 1; SLOW = 2;"), true},
		{"a repeated field more", with("string text = 1;", "string text = 1; repeated bool read = 9;"), false},
		{"a repeated field less", with("repeated string to = 4;", ""), false},
		{"another name", with("text = 1", "words = 1"), false},
		{"another type", with("string text", "bytes text"), false},
		{"another type within", with("int32 value", "string value"), false},
		{"another message", with("message Letter", "message Note"), false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			a, err := Language{}.Compile(letter)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Language{}.Compile(tt.next)
			if err != nil {
				t.Fatal(err)
			}
			if err := (Language{}).Compatible(b, a); (err == nil) != tt.ok {
				t.Errorf("%v, want compatible: %v", err, tt.ok)
			}
		})
	}
}

// FuzzCheck: whatever strangers send is an answer, not a panic.
func FuzzCheck(f *testing.F) {
	f.Add(letter, []byte(`{"text":"a"}`))
	f.Add(letter, []byte("\x0a\x01a\x12\x02\x08\x03\x18\x01"))
	f.Add(`syntax = "proto2"; message M { optional M m = 1; repeated group G = 2 { required int32 x = 3; } }`, []byte("\x0a\x00"))
	f.Fuzz(func(t *testing.T, definition string, message []byte) {
		form, err := Language{}.Compile(definition)
		if err != nil {
			return
		}
		_ = form.Check(pubsub.JSON, message)
		_ = form.Check(pubsub.Binary, message)
		_ = Language{}.Compatible(form, form)
	})
}
