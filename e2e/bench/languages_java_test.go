//go:build e2e

package bench

import (
	"path/filepath"
	"testing"
)

var javaRows = []language{{
	name: "java", title: "Java, the JDK's server", needs: "javac", dir: "../../examples/hello-java", main: "src/main/java/Hello.java",
	bare: func(tb testing.TB, _ string) []string {
		classes, jar := tb.TempDir(), filepath.Join(tb.TempDir(), "hello.jar")
		source := "../../examples/hello-java"
		run(tb, source, "javac", "-d", classes, "--release", "17", "src/main/java/Hello.java")
		run(tb, source, "jar", "--create", "--file", jar, "--main-class", "Hello", "-C", classes, ".")
		return []string{"java", "-XX:MaxRAM=384m", "-XX:+UseSerialGC", "-jar", jar}
	},
}}
