package hoststack

import (
	"context"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/build"
	"github.com/sunya-cloud/sunya/internal/core/health"
)

var _ health.Checker = (*Host)(nil)

// Check lists the runtimes that were found, for doctor.
func (h *Host) Check(context.Context) []health.Check {
	c := health.Check{Name: "runtimes", Status: health.OK, Detail: listRuntimes(h.machine.Runtimes)}
	if c.Detail == "" {
		c.Status, c.Detail = health.Warning, "none: no app can be built on this machine"
		c.Fix = "install python3 and python3-venv, nodejs and npm, or what your apps are written in, and restart the server"
	}
	return []health.Check{c}
}

// listRuntimes writes "python 3.11.2, 3.12.1; nodejs 20.1.0", in the order of
// discovery.
func listRuntimes(rs []build.Runtime) string {
	var languages []string
	found := map[string][]string{}
	for _, r := range rs {
		if r.Version == "" { // a tool
			continue
		}
		if !slices.Contains(languages, r.Language) {
			languages = append(languages, r.Language)
		}
		if !slices.Contains(found[r.Language], r.Version) {
			found[r.Language] = append(found[r.Language], r.Version)
		}
	}
	var parts []string
	for _, l := range languages {
		parts = append(parts, l+" "+strings.Join(found[l], ", "))
	}
	return strings.Join(parts, "; ")
}
