package avro

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya/internal/core/pubsub"
)

const all = `{"type":"record","name":"All","namespace":"a.b","fields":[
	{"name":"s","type":"string"},
	{"name":"n","type":["null","int"],"default":null},
	{"name":"l","type":{"type":"array","items":"long"}},
	{"name":"m","type":{"type":"map","values":"boolean"}},
	{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},
	{"name":"f","type":{"type":"fixed","name":"F","size":2}},
	{"name":"b","type":"bytes"},
	{"name":"d","type":"double"},
	{"name":"u","type":["null","E","All","string"]}
]}`

const good = `{"s":"x","n":{"int":3},"l":[1,-2],"m":{"k":true},"e":"Y","f":"\u00ffa","b":"\u0000","d":1.5,"u":{"a.b.E":"X"}}`

func TestJSON(t *testing.T) {
	f, err := Language{}.Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, new string) string {
		out := strings.Replace(good, old, new, 1)
		if out == good {
			t.Fatalf("%s is not in the message", old)
		}
		return out
	}
	for _, tt := range []struct {
		rule, message string
		want          string // in the error; empty: it matches
	}{
		{"all types", good, ""},
		{"null of a union", change(`{"int":3}`, "null"), ""},
		{"space around", " " + good + "\n", ""},
		{"other order", change(`"s":"x",`, "")[:len(good)-9] + `,"s":"x"}`, ""},
		{"a field that is not in the schema", change(`"s"`, `"z":{"a":[1,{}]},"s"`), ""},
		{"a type in itself", change(`{"a.b.E":"X"}`, `{"a.b.All":`+good+`}`), ""},
		{"float without number", change("1.5", `"NaN"`), ""},
		{"no number", change(`"s":"x"`, `"s":1`), "s: JSON object with type number does not match schema which expected string"},
		{"int too large", change(`{"int":3}`, `{"int":3000000000}`), "n: "},
		{"a fraction", change(`[1,-2]`, "[1.5]"), "l: "},
		{"union without type", change(`{"int":3}`, "3"), `expected union`},
		{"union with another type", change(`{"int":3}`, `{"long":3}`), `"long" is no branch`},
		{"union with two", change(`{"int":3}`, `{"int":3,"int":4}`), "one member"},
		{"union of short name", change(`"a.b.E"`, `"E"`), "no branch"},
		{"symbol", change(`"Y"`, `"Z"`), "no symbol"},
		{"size", change(`"\u00ffa"`, `"a"`), "do not fit"},
		{"byte", change(`"\u0000"`, `"\u0100"`), "no byte"},
		{"missing", change(`"s":"x",`, ""), "s: the field is missing"},
		{"null record", "null", "expected object"},
		{"text", "abc", "not JSON"},
		{"nothing", "", "too early"},
		{"half", good[:20], "too early"},
		{"two", good + good, "Too much data"},
	} {
		t.Run(tt.rule, func(t *testing.T) { expect(t, f.Check(pubsub.JSON, []byte(tt.message)), tt.want) })
	}
}

func expect(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("refused: %v", err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("error %v, want one with %q", err, want)
	}
}

func TestBinary(t *testing.T) {
	f, err := Language{}.Compile(all)
	if err != nil {
		t.Fatal(err)
	}
	//       s       n       l            end  m                    e    f       b       d                u: null
	whole := "\x02x" + "\x02\x06" + "\x04\x02\x03\x00" + "\x02\x02k\x01\x00" + "\x02" + "ab" + "\x02\xff" + "12345678" + "\x00"
	for _, tt := range []struct {
		rule, message, want string
	}{
		{"all types", whole, ""},
		{"a block with its size", strings.Replace(whole, "\x04\x02\x03\x00", "\x03\x04\x02\x03\x00", 1), ""},
		{"rest", whole + "\x00", "Too much data to parse for schema."},
		{"too short", whole[:len(whole)-1], "too early"},
		{"branch", whole[:len(whole)-1] + "\x0a", "no branch"},
		{"length", "\x7fx", "too early"},
		{"negative length", "\x01x", "too early"},
		{"UTF-8", "\x02\xff", "UTF-8"},
		{"nothing", "", "too early"},
		{"deep", strings.Repeat(whole[:len(whole)-1]+"\x04", 1000), "deep"},
	} {
		t.Run(tt.rule, func(t *testing.T) { expect(t, f.Check(pubsub.Binary, []byte(tt.message)), tt.want) })
	}
}

func TestManyValuesInFewBytes(t *testing.T) {
	f, err := Language{}.Compile(`{"type":"array","items":"null"}`)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, f.Check(pubsub.Binary, []byte("\xfe\xff\xff\xff\xff\xff\x01\x00")), "more values than bytes")
	expect(t, f.Check(pubsub.Binary, []byte("\x10\x00")), "")
	expect(t, f.Check(pubsub.JSON, []byte(strings.Repeat("[", 100000))), "expected null")
}

func TestCompatible(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	const a, opt, need = `{"name":"a","type":"string"}`, `{"name":"b","type":"int","default":0}`, `{"name":"c","type":"int"}`
	for _, tt := range []struct {
		rule, old, new string
		ok             bool
	}{
		{"the same", record(a), record(a), true},
		{"an optional field more", record(a), record(a + "," + opt), true},
		{"an optional field less", record(a + "," + opt), record(a), true},
		{"a field more", record(a), record(a + "," + need), false},
		{"a field less", record(a + "," + need), record(a), false},
		{"another type", record(a), record(`{"name":"a","type":"int"}`), false},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			x, err := Language{}.Compile(tt.old)
			if err != nil {
				t.Fatal(err)
			}
			y, err := Language{}.Compile(tt.new)
			if err != nil {
				t.Fatal(err)
			}
			if err := (Language{}).Compatible(y, x); (err == nil) != tt.ok {
				t.Errorf("%v, want compatible: %v", err, tt.ok)
			}
		})
	}
}

func TestBadDefinitions(t *testing.T) {
	for _, d := range []string{"{", "", `{"type":"record"}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"none"}]}`, "null x"} {
		if _, err := (Language{}).Compile(d); err == nil {
			t.Errorf("%s was taken", d)
		}
	}
}

// FuzzCheck: whatever strangers send is an answer, not a panic, in either
// encoding.
func FuzzCheck(f *testing.F) {
	f.Add(all, []byte(good))
	f.Add(`{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}`, []byte("\x02\x02\x00"))
	f.Add(`["null",{"type":"map","values":"bytes"}]`, []byte(`{"map":{"a":"b"}}`))
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
