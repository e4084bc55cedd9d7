package detect

import (
	"archive/zip"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// invokerMain is the program of the functions framework.
const invokerMain = "com.google.cloud.functions.invoker.runner.Invoker"

// javaPlace is where a tool leaves a function's jar, and, when it is told to, what
// the function stands on.
var javaPlace = map[JavaTool]struct{ jars, libraries string }{
	Maven:      {"target/", "target/dependency"},
	Gradle:     {"build/libs/", "build/dependency"},
	NoJavaTool: {"", ""},
}

// Libraries is the folder of the source with the jars that a function stands on;
// empty where one jar has all.
func (p *JavaPlan) Libraries() string { return javaPlace[p.Tool].libraries }

// function checks what the source of a function must have before it is built.
func (p *JavaPlan) function(spec sunya.BuildSpec) error {
	p.Function = true
	switch {
	case spec.Env["GOOGLE_FUNCTION_SOURCE"] != "":
		return badSource("GOOGLE_FUNCTION_SOURCE is not for Java: the entry point is the full name of a class")
	case p.Module != "":
		return badSource("%s is not for functions: deploy the folder of the module", buildableVar)
	}
	return nil
}

// JavaFunction is a function in Java that is built.
type JavaFunction struct {
	Target  string // full name of its class
	Jar     string // below the source
	Invoker string // the functions framework's jar, when the source brings it
}

// BuiltFunction finds the function in what Maven or Gradle has left, or in a jar
// that was ready.
func (p *JavaPlan) BuiltFunction(fsys fs.FS, want *sunya.FunctionSpec) (*JavaFunction, error) {
	jar, err := p.functionJar(fsys)
	if err != nil {
		return nil, err
	}
	var libraries []string
	if dir := p.Libraries(); dir != "" {
		if libraries, err = fs.Glob(fsys, dir+"/*.jar"); err != nil {
			return nil, badSource("jars cannot be looked for: %v", err)
		}
	}
	f := &JavaFunction{Jar: jar}
	for _, l := range libraries {
		if strings.Contains(path.Base(l), "java-function-invoker-") && MainClass(fsys, l) == invokerMain {
			f.Invoker = l
		}
	}
	for _, target := range []string{want.Target, want.Fallback, "Function"} {
		if target == "" || target == "Function" && want.Fallback == "" {
			continue
		}
		if slices.ContainsFunc(append([]string{jar}, libraries...), func(j string) bool { return hasClass(fsys, j, target) }) {
			f.Target = target
			return f, nil
		}
	}
	list := "none"
	if found := functionClasses(fsys, jar); len(found) > 0 {
		list = strings.Join(found[:min(12, len(found))], ", ")
	}
	return nil, badSource("class %s is not in %s; classes that implement a function there: %s (the entry point is the full name of a class)", want.Target, jar, list)
}

// functionJar is the jar that was built, or the only one of the source.
func (p *JavaPlan) functionJar(fsys fs.FS) (string, error) {
	jars, err := fs.Glob(fsys, javaPlace[p.Tool].jars+"*.jar")
	if err != nil {
		return "", badSource("jars cannot be looked for: %v", err)
	}
	jars = slices.DeleteFunc(jars, func(j string) bool {
		base := path.Base(j)
		return strings.HasPrefix(base, "original-") || strings.HasSuffix(base, "-plain.jar") || strings.HasSuffix(base, "-sources.jar") || strings.HasSuffix(base, "-javadoc.jar") || strings.HasSuffix(base, "-tests.jar")
	})
	switch {
	case len(jars) == 1:
		return jars[0], nil
	case len(jars) > 1:
		return "", badSource("there are %d jars (%s): a function is in one", len(jars), strings.Join(jars[:min(6, len(jars))], ", "))
	case p.Tool == NoJavaTool:
		return "", badSource("the source has neither pom.xml, build.gradle nor a jar: a function in Java is built by Maven or Gradle, or is a jar that holds all it needs")
	}
	if p.Tool == Gradle {
		return "", badSource("Gradle built no jar in build/libs: apply its plugin java in the source's own build.gradle")
	}
	return "", badSource("%s built no jar: the packaging in pom.xml must be jar", p.Tool)
}

// openJar gives the entries of a jar to read, within the limits; ok where it is
// one.
func openJar(fsys fs.FS, name string, read func(*zip.Reader)) (ok bool) {
	fi, err := fs.Stat(fsys, name) // before it is opened: to open a pipe is to wait
	if err != nil || !fi.Mode().IsRegular() || fi.Size() > maxJar {
		return false
	}
	f, err := fsys.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	at, ok := f.(io.ReaderAt)
	if !ok {
		return false
	}
	jar, err := zip.NewReader(&rationed{at, maxJarReading}, fi.Size())
	if err != nil {
		return false
	}
	read(jar)
	return true
}

// hasClass reports whether a jar has a class, which may be one within another:
// a.B.C is a/B/C.class or a/B$C.class.
func hasClass(fsys fs.FS, jar, class string) bool {
	names := map[string]bool{}
	for name, parts := "", strings.Split(class, "."); len(parts) > 0; parts = parts[:len(parts)-1] {
		names[strings.Join(parts, "/")+name+".class"] = true
		name = "$" + parts[len(parts)-1] + name
	}
	found := false
	openJar(fsys, jar, func(r *zip.Reader) {
		found = slices.ContainsFunc(r.File, func(f *zip.File) bool { return names[f.Name] })
	})
	return found
}

const (
	functionPackage = "com/google/cloud/functions/"
	maxClass        = 1 << 20 // bytes
	maxClasses      = 5000    // of a jar, to be looked at
	maxClassReading = 64 << 20
)

// functionClasses are the classes of a jar that say that they are functions.
func functionClasses(fsys fs.FS, jar string) []string {
	var found []string
	openJar(fsys, jar, func(r *zip.Reader) {
		left := int64(maxClassReading)
		for _, f := range r.File[:min(maxClasses, len(r.File))] {
			if path.Ext(f.Name) != ".class" || f.UncompressedSize64 > maxClass || left <= 0 {
				continue
			}
			in, err := f.Open()
			if err != nil {
				continue
			}
			data, err := io.ReadAll(io.LimitReader(in, maxClass))
			in.Close()
			left -= int64(len(data))
			c, err2 := parseClass(data)
			if err != nil || err2 != nil || c.Abstract {
				continue
			}
			if slices.ContainsFunc(c.Interfaces, func(i string) bool { return strings.HasPrefix(i, functionPackage) && strings.HasSuffix(i, "Function") }) {
				found = append(found, strings.NewReplacer("/", ".", "$", ".").Replace(c.Name))
			}
		}
	})
	slices.Sort(found)
	return found
}
