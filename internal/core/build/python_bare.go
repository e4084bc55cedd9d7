package build

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya/internal/core/build/detect"
)

// nothingToInstall reports whether the virtual environment stays empty: no
// manifest, and nothing that the platform adds.
func (b *pythonBuild) nothingToInstall() bool {
	return b.plan.Manager == detect.NoManager && len(b.plan.Extra) == 0
}

// emptyVenv writes a virtual environment without packages, as python -m venv
// --without-pip does: no installer, no sandbox, no network.
func (b *pythonBuild) emptyVenv(dir string) error {
	v, err := detect.ParseVersion(b.rt.Version)
	if err != nil {
		return fmt.Errorf("interpreter's version: %w", err)
	}
	minor := fmt.Sprintf("python%d.%d", v.Major, v.Minor)
	for _, sub := range []string{"bin", filepath.Join("lib", minor, "site-packages")} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return fmt.Errorf("make virtual environment: %w", err)
		}
	}
	cfg := fmt.Sprintf("home = %s\ninclude-system-site-packages = false\nversion = %s\n", filepath.Dir(b.rt.Path), b.rt.Version)
	if err := os.WriteFile(filepath.Join(dir, "pyvenv.cfg"), []byte(cfg), 0o644); err != nil {
		return fmt.Errorf("make virtual environment: %w", err)
	}
	for _, link := range [][2]string{{b.rt.Path, "python"}, {"python", "python3"}, {"python", minor}} {
		if err := os.Symlink(link[0], filepath.Join(dir, "bin", link[1])); err != nil {
			return fmt.Errorf("make virtual environment: %w", err)
		}
	}
	return nil
}
