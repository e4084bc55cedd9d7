//go:build e2e

package bench

import (
	"path/filepath"
	"testing"
)

var javaRows = []language{{
	name: "java", needs: "javac", dir: "../../examples/hello-java", main: "src/main/java/Hello.java",
	bare: func(b *testing.B, _ string) []string {
		classes, jar := b.TempDir(), filepath.Join(b.TempDir(), "hello.jar")
		source := "../../examples/hello-java"
		run(b, source, "javac", "-d", classes, "--release", "17", "src/main/java/Hello.java")
		run(b, source, "jar", "--create", "--file", jar, "--main-class", "Hello", "-C", classes, ".")
		return []string{"java", "-XX:MaxRAM=384m", "-XX:+UseSerialGC", "-jar", jar}
	},
}}
