package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya"
)

// javaHome is JAVA_HOME of an instance: the machine's Java but for the java
// command itself.
const javaHome = LayersDir + "/java"

// javaCommand is the java command of an instance. A JVM reads its memory limit
// from the cgroup's files, which a sandbox does not see: without this it would
// plan for the whole machine's memory and be killed at its own limit. The heap
// is then the JVM's usual share, and like Java on a small machine it collects
// serially. Flags of the program come later, and win.
const javaCommand = `#!/bin/sh
gc=
case "$* $JAVA_TOOL_OPTIONS $JDK_JAVA_OPTIONS" in
*-XX:+Use*GC*) ;;
*) [ "${` + memoryVar + `:-4096}" -ge 1792 ] || gc=-XX:+UseSerialGC ;;
esac
exec %s ${` + memoryVar + `:+-XX:MaxRAM=${` + memoryVar + `}m} $gc "$@"
`

// home is the layer of javaHome.
func (b *javaBuild) home(ctx context.Context) (sunya.Layer, error) {
	k, err := key([]any{"java home 1", b.rt.Path, b.rt.Fingerprint, javaCommand})
	if err != nil {
		return sunya.Layer{}, err
	}
	l, _, err := b.Layer(ctx, k, javaHome, b.makeHome)
	return l, err
}

// makeHome links to everything in the Java's home, one level deep, and in bin
// to everything but java.
func (b *javaBuild) makeHome(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		return fmt.Errorf("make java home: %w", err)
	}
	err := errors.Join(linkAll(b.jdk(), dir, "bin"), linkAll(filepath.Join(b.jdk(), "bin"), filepath.Join(dir, "bin"), "java"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "bin", "java"), fmt.Appendf(nil, javaCommand, b.rt.Path), 0o755)
	}
	if err != nil {
		return fmt.Errorf("make java home: %w", err)
	}
	return nil
}

// linkAll links to every entry of a folder but one.
func linkAll(from, to, but string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == but {
			continue
		}
		if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// javaEnv is what every Java program of ours runs with.
func javaEnv() []sunya.EnvVar {
	return []sunya.EnvVar{
		{Name: "PATH", Value: javaHome + "/bin:/usr/local/bin:/usr/bin:/bin"},
		{Name: "JAVA_HOME", Value: javaHome},
		{Name: memoryVar, Field: sunya.FieldMemoryMB},
		{Name: "LANG", Value: "C.UTF-8"},
	}
}
