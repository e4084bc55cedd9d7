package ignore

import "strings"

// Defaults returns the rules that gcloud generates for a runtime when a source
// directory has no .gcloudignore.
func Defaults(runtime string) string {
	rules := []string{FileName, ".git", gitFileName}
	for _, language := range []struct {
		prefix string
		rules  []string
	}{
		// gcloud leaves out setup.cfg because pip reads install options from it.
		{"python", []string{"__pycache__/", "/setup.cfg"}},
		{"nodejs", []string{"node_modules/"}},
		{"php", []string{"/vendor/"}},
		{"go", []string{"*.exe", "*.exe~", "*.dll", "*.so", "*.dylib", "*.test", "*.out"}},
		{"java", []string{"target/"}},
	} {
		if strings.HasPrefix(runtime, language.prefix) {
			rules = append(rules, language.rules...)
		}
	}
	return strings.Join(rules, "\n") + "\n"
}
