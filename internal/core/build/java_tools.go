package build

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/build/detect"
	"github.com/sunya-cloud/sunya/internal/core/sandbox"
)

// javaTool is Maven or Gradle, ready to run.
type javaTool struct {
	title  string
	Args   []string // part of the layer's key
	env    map[string]string
	mounts []sandbox.Mount
}

// Where the tools keep what they download, in the project's cache.
const (
	mavenCache  = cacheMount + "/m2"
	gradleCache = cacheMount + "/gradle"
)

// builder finds the tool that the source asks for; nil where there is nothing
// to build.
func (b *javaBuild) builder() (*javaTool, error) {
	switch b.plan.Tool {
	case detect.Maven:
		return b.maven()
	case detect.Gradle:
		return b.gradle()
	}
	return nil, nil
}

// maven is mvn clean package, as at Google.
func (b *javaBuild) maven() (*javaTool, error) {
	args := []string{"clean", "package", "--batch-mode", "-DskipTests", "-Dhttp.keepAlive=false"}
	if b.plan.POM != "" && b.plan.POM != "pom.xml" {
		args = append(args, "-f="+b.plan.POM)
	}
	args = append(args, strings.Fields(b.Spec.Env["GOOGLE_BUILD_ARGS"])...)
	if own := b.Spec.Env["GOOGLE_MAVEN_BUILD_ARGS"]; own != "" {
		args = strings.Fields(own)
	}
	if b.plan.Function {
		args = append(args, "dependency:copy-dependencies", "-Dmdep.prependGroupId", "-DincludeScope=runtime")
	}
	args = append(args, "--quiet", "-Dstyle.color=never", "-Dmaven.repo.local="+mavenCache+"/repository")
	if settings := b.client["SUNYA_MAVEN_SETTINGS"]; settings != "" {
		args = append(args, "--settings", settings)
	}
	t, err := b.tool("maven", "Maven", "Debian: apt install maven", args)
	if err != nil {
		return nil, err
	}
	t.env["MAVEN_USER_HOME"] = mavenCache // where mvnw puts the Maven that it fetches
	t.env["MAVEN_OPTS"] = strings.TrimSpace(b.jvmFlags() + " " + b.Spec.Env["MAVEN_OPTS"])
	return t, nil
}

// gradle is gradle clean assemble, as at Google.
func (b *javaBuild) gradle() (*javaTool, error) {
	args := []string{"clean", "assemble", "-x", "test", "--build-cache"}
	args = append(args, strings.Fields(b.Spec.Env["GOOGLE_BUILD_ARGS"])...)
	if own := b.Spec.Env["GOOGLE_GRADLE_BUILD_ARGS"]; own != "" {
		args = strings.Fields(own)
	}
	if b.plan.Function {
		args = append(args, gradleTask, "--init-script", Workspace+"/"+gradleScript)
	}
	args = append(args, "--quiet", "--no-daemon", "--console=plain")
	t, err := b.tool("gradle", "Gradle", "add Gradle's wrapper with gradle wrapper", args)
	if err != nil {
		return nil, err
	}
	t.env["GRADLE_USER_HOME"] = gradleCache
	t.env["JAVA_OPTS"] = strings.TrimSpace(b.jvmFlags() + " " + b.Spec.Env["JAVA_OPTS"])
	return t, nil
}

// tool is the source's wrapper, else the machine's own. The wrapper is a
// script whose lines may end as on Windows.
func (b *javaBuild) tool(name, title, remedy string, args []string) (*javaTool, error) {
	path := "/usr/local/bin:/usr/bin:/bin"
	t := &javaTool{title: title, env: map[string]string{"JAVA_HOME": b.jdk(), "PATH": filepath.Join(b.jdk(), "bin") + ":" + path}}
	if w := b.plan.Wrapper; w != "" {
		t.Args = append([]string{"/bin/sh", "-c", "tr -d '\\r' < " + w + " > " + buildMount + "/tmp/" + w +
			" && cat " + buildMount + "/tmp/" + w + " > " + w + " && exec bash ./" + w + ` "$@"`, "sh"}, args...)
		return t, nil
	}
	list := b.Machine.of(name)
	if len(list) == 0 {
		return nil, &Error{Err: &sunya.Error{Code: sunya.FailedPrecondition, Reason: sunya.ReasonBuildFailed,
			Message: fmt.Sprintf("the source is built with %s, which this machine does not have: install it (%s)", title, remedy)}}
	}
	for _, p := range list[0].Prefixes {
		t.mounts = append(t.mounts, sandbox.Mount{Source: p, Target: p})
	}
	t.Args = append([]string{list[0].Path}, args...)
	return t, nil
}

// jvmFlags keep the tool's own JVM within the memory of a step, half of it
// heap, its home away from that of the machine's accounts, and make it trust
// whom the machine trusts.
func (b *javaBuild) jvmFlags() string {
	flags := fmt.Sprintf("-XX:MaxRAM=%dm -XX:MaxRAMPercentage=50 -Duser.home=%s/home", b.memoryBytes>>20, buildMount)
	if certs := b.client["SUNYA_JAVA_CERTS"]; certs != "" {
		flags += " -Djavax.net.ssl.trustStore=" + certs
	}
	return flags
}
