package ignore_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sunya-cloud/sunya/internal/core/ignore"
)

func ExampleLoad() {
	dir, err := os.MkdirTemp("", "ignore")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, ignore.FileName), []byte("*.log\n"), 0o644); err != nil {
		fmt.Println(err)
		return
	}
	rules, err := ignore.Load(dir, "python311")
	fmt.Println(rules.Origin, err)
	fmt.Println(rules.Ignored("logs/a.log", false), rules.Ignored("main.py", false))
	// Output:
	// .gcloudignore <nil>
	// true false
}
