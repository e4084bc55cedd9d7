package detect

import (
	"archive/zip"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// JavaTool is what builds a Java program.
type JavaTool string

// The tools, and none for a jar that is ready.
const (
	NoJavaTool JavaTool = ""
	Maven      JavaTool = "Maven"
	Gradle     JavaTool = "Gradle"
)

// JavaPlan is how a Java program is built and started.
type JavaPlan struct {
	Tool    JavaTool
	Wrapper string   // the tool's own script in the source: mvnw, gradlew; "" for none
	POM     string   // Maven's -f; "" for its default
	Module  string   // GOOGLE_BUILDABLE: the folder of the module that serves
	Command []string // the user's argument vector; nil: the executable jar

	Function bool // the source is a function
}

var gradleFiles = []string{"build.gradle", "build.gradle.kts", "settings.gradle.kts", "settings.gradle"}

// Java reads the source of a Java program. An error is the source's fault.
func Java(fsys fs.FS, spec sunya.BuildSpec) (*JavaPlan, error) {
	if exists(fsys, "WEB-INF/appengine-web.xml") {
		err := sunya.Errorf(sunya.Unimplemented, "", "WEB-INF/appengine-web.xml asks for App Engine's own Jetty, which is not supported: deploy an executable jar that listens on $PORT, with an app.yaml")
		err.Reason = sunya.ReasonBuildFailed
		return nil, err
	}
	p := &JavaPlan{}
	if err := p.module(fsys, spec); err != nil {
		return nil, err
	}
	p.tool(fsys)
	if spec.Function != nil {
		return p, p.function(spec)
	}
	line, err := userLine(fsys, spec)
	if err == nil && line != "" {
		p.Command = []string{"/bin/bash", "-c", execLine(line)}
	}
	return p, err
}

// module takes the folder that GOOGLE_BUILDABLE names.
func (p *JavaPlan) module(fsys fs.FS, spec sunya.BuildSpec) error {
	v := strings.TrimSpace(spec.Env[buildableVar])
	if v == "" {
		return nil
	}
	p.Module = path.Clean(v)
	if !fs.ValidPath(p.Module) || !isDir(fsys, p.Module) {
		return badSource("%s: %q is not a folder of the source", buildableVar, v)
	}
	return nil
}

// tool finds what builds the source; Maven comes first, as at Google.
func (p *JavaPlan) tool(fsys fs.FS) {
	pom := path.Join(p.Module, "pom.xml")
	switch {
	case exists(fsys, pom), exists(fsys, ".mvn/extensions.xml"):
		p.Tool = Maven
		if exists(fsys, pom) {
			p.POM = pom
		}
		p.Wrapper = wrapper(fsys, "mvnw")
	case slices.ContainsFunc(gradleFiles, func(f string) bool { return exists(fsys, f) }):
		p.Tool = Gradle
		p.Wrapper = wrapper(fsys, "gradlew")
	}
}

func wrapper(fsys fs.FS, name string) string {
	if exists(fsys, name) {
		return name
	}
	return ""
}

// jarPlaces are searched in this order, which is Google's; "" is the root.
var jarPlaces = []string{"target", "build", "build/libs", "*/build/libs", ""}

// ExecutableJar finds the jar that serves: the only one with a Main-Class in
// the first place that has any.
func (p *JavaPlan) ExecutableJar(fsys fs.FS) (string, error) {
	places := jarPlaces
	if p.Module != "" {
		places = append([]string{path.Join(p.Module, "target"), p.Module}, places...)
	}
	for _, place := range places {
		jars, err := fs.Glob(fsys, path.Join(place, "*.jar"))
		if err != nil {
			return "", badSource("jars cannot be looked for: %v", err)
		}
		jars = slices.DeleteFunc(jars, func(j string) bool { return !executable(fsys, j) })
		switch {
		case len(jars) == 1:
			return jars[0], nil
		case len(jars) > 1:
			return "", badSource("there are %d jars with a Main-Class (%s): write in app.yaml which one serves, for example entrypoint: java -jar %s", len(jars), strings.Join(jars[:min(6, len(jars))], ", "), jars[0])
		}
	}
	return "", p.noJar(fsys)
}

// noJar says what is there instead of an executable jar.
func (p *JavaPlan) noJar(fsys fs.FS) error {
	if wars, err := fs.Glob(fsys, "target/*.war"); err == nil && len(wars) > 0 {
		return badSource("%s needs a servlet container, which is not supported: build an executable jar that listens on $PORT, or set entrypoint in app.yaml", wars[0])
	}
	if p.Tool == NoJavaTool {
		return badSource("the source has neither pom.xml, build.gradle nor a jar with a Main-Class: add one, or set entrypoint in app.yaml")
	}
	return badSource("%s built no jar with a Main-Class: name the main class in the jar's manifest, or set entrypoint in app.yaml", p.Tool)
}

// executable reports whether a jar can be started by java -jar. Sources and
// documentation have the manifest of what they are about.
func executable(fsys fs.FS, name string) bool {
	for _, suffix := range []string{"-sources.jar", "-javadoc.jar"} {
		if strings.HasSuffix(name, suffix) {
			return false
		}
	}
	return MainClass(fsys, name) != ""
}

// A jar is user code's own work, and read by the server: what it may cost has
// limits, far from those of real ones.
const (
	maxJar        = 512 << 20 // bytes
	maxJarReading = 16 << 20  // bytes of its directory: some 150,000 entries
	maxManifestMF = 1 << 20   // bytes; signed jars have an entry for each class
)

var mainClassRE = regexp.MustCompile(`(?mi)^Main-Class:[ \t]*(\S+)`)

// MainClass returns the Main-Class of a jar's manifest; "" where it has none
// or is no jar that can be read within the limits.
func MainClass(fsys fs.FS, name string) string {
	class := ""
	openJar(fsys, name, func(jar *zip.Reader) {
		for _, entry := range jar.File {
			if entry.Name == "META-INF/MANIFEST.MF" {
				class = mainClass(entry)
				return
			}
		}
	})
	return class
}

// rationed reads so many bytes and no more.
type rationed struct {
	io.ReaderAt
	left int
}

func (r *rationed) ReadAt(p []byte, off int64) (int, error) {
	if r.left -= len(p); r.left < 0 {
		return 0, errTooMuch
	}
	return r.ReaderAt.ReadAt(p, off)
}

var errTooMuch = errors.New("too much to read")

func mainClass(manifest *zip.File) string {
	r, err := manifest.Open()
	if err != nil {
		return ""
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxManifestMF))
	if err != nil {
		return ""
	}
	m := mainClassRE.FindSubmatch(data)
	if m == nil {
		return ""
	}
	return string(m[1])
}
