package detect

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
)

// class is a class file without members, of Java 17.
func class(flags uint16, name, super string, interfaces ...string) string {
	var b bytes.Buffer
	u := func(ns ...uint16) {
		for _, n := range ns {
			b.Write(binary.BigEndian.AppendUint16(nil, n))
		}
	}
	b.WriteString("\xca\xfe\xba\xbe")
	u(0, 61)
	all := append([]string{name, super}, interfaces...)
	u(uint16(2*len(all) + 3))
	b.WriteByte(classLong) // takes places 1 and 2
	u(0, 0, 0, 1)
	for i, n := range all {
		b.WriteByte(classUTF8)
		u(uint16(len(n)))
		b.WriteString(n)
		b.WriteByte(classClass)
		u(uint16(2*i + 3))
	}
	u(flags, 4, 6, uint16(len(interfaces)))
	for i := range interfaces {
		u(uint16(2*i + 8))
	}
	return b.String()
}

// classJar is a jar of files: names and contents.
func classJar(t testing.TB, kv ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(kv); i += 2 {
		f, err := w.Create(kv[i])
		if err == nil {
			_, err = f.Write([]byte(kv[i+1]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBuiltFunction(t *testing.T) {
	const httpFunction, event = "com/google/cloud/functions/HttpFunction", "com/google/cloud/functions/CloudEventsFunction"
	app := classJar(t,
		"a/Hello.class", class(0x21, "a/Hello", "java/lang/Object", "java/io/Serializable", httpFunction),
		"a/On$Event.class", class(0x21, "a/On$Event", "java/lang/Object", event),
		"a/Base.class", class(0x421, "a/Base", "java/lang/Object", httpFunction),
		"a/Other.class", class(0x21, "a/Other", "java/lang/Object"),
		"a/Broken.class", "\xca\xfe\xba\xbe")
	library := classJar(t, "b/Lib.class", "")
	invoker := classJar(t, "META-INF/MANIFEST.MF", "Main-Class: "+invokerMain+"\n")
	maven := func(more ...string) []string {
		return append([]string{"pom.xml", "", "target/app.jar", app, "target/original-app.jar", app, "target/app-sources.jar", app, "target/dependency/b.jar", library}, more...)
	}
	tests := []struct {
		rule, target, fallback string
		files                  []string
		want                   string // "TARGET JAR INVOKER", or the error
	}{
		{"built", "a.Hello", "", maven(), "a.Hello target/app.jar "},
		{"within another class", "a.On.Event", "", maven(), "a.On.Event target/app.jar "},
		{"as the JVM names it", "a.On$Event", "", maven(), "a.On$Event target/app.jar "},
		{"of a library", "b.Lib", "", maven(), "b.Lib target/app.jar "},
		{"missing", "a.Helo", "", maven(), "class a.Helo is not in target/app.jar; classes that implement a function there: a.Hello, a.On.Event ("},
		{"the framework is listed", "a.Hello", "", maven("target/dependency/com.google.cloud.functions.invoker.java-function-invoker-1.3.0.jar", invoker), "a.Hello target/app.jar target/dependency/com.google"},
		{"ready", "a.Hello", "", []string{"f.jar", app}, "a.Hello f.jar "},
		{"in place of the name", "hello", "function", []string{"f.jar", classJar(t, "Function.class", "")}, "Function f.jar "},
		{"two jars", "a.Hello", "", []string{"f.jar", app, "g.jar", app}, "there are 2 jars (f.jar, g.jar)"},
		{"nothing", "a.Hello", "", []string{"Hello.java", ""}, "neither pom.xml, build.gradle nor a jar"},
		{"no jar built", "a.Hello", "", []string{"pom.xml", ""}, "Maven built no jar"},
		{"Gradle", "a.Hello", "", []string{"build.gradle", "", "build/libs/app.jar", app, "build/libs/app-plain.jar", app, "build/dependency/b.jar", library}, "a.Hello build/libs/app.jar "},
		{"Gradle, of a library", "b.Lib", "", []string{"build.gradle", "", "build/libs/app.jar", app, "build/dependency/b.jar", library}, "b.Lib build/libs/app.jar "},
		{"Gradle without a jar", "a.Hello", "", []string{"build.gradle", ""}, "Gradle built no jar in build/libs"},
	}
	for _, tt := range tests {
		want, fsys, got := &sunya.FunctionSpec{Target: tt.target, Fallback: tt.fallback}, files(tt.files...), ""
		p, err := Java(fsys, sunya.BuildSpec{Function: want})
		if err == nil {
			var f *JavaFunction
			if f, err = p.BuiltFunction(fsys, want); err == nil {
				got = f.Target + " " + f.Jar + " " + f.Invoker
			}
		}
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.rule, got, tt.want)
		}
	}
}

func FuzzParseClass(f *testing.F) {
	f.Add([]byte(class(0x21, "a/B", "java/lang/Object", "c/D", "e/F")))
	f.Add([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x3d\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseClass(data); err == nil && c.Name == "" {
			t.Errorf("%+v has no name", c)
		}
	})
}
