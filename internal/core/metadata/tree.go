package metadata

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sunya-cloud/sunya/internal/core/identity"
)

// entry is a folder or a value of the metadata tree.
type entry struct {
	dir   map[string]entry // not nil: a folder
	value any              // string, int64 or []string
}

func value(v any) entry { return entry{value: v} }

// tree is what an instance sees. What Compute Engine has beyond that (disks,
// hosts, Kubernetes attributes) is not there on purpose: clients decide by it
// where they run.
func tree(i Instance) entry {
	number := fmt.Sprintf("projects/%d", i.ProjectNumber)
	account := entry{dir: map[string]entry{
		"aliases": value([]string{"default"}),
		"email":   value(i.ServiceAccount),
		"scopes":  value([]string{identity.CloudPlatform}),
	}}
	return entry{dir: map[string]entry{
		"project": {dir: map[string]entry{
			"project-id":         value(i.Project),
			"numeric-project-id": value(i.ProjectNumber),
			"attributes":         {dir: map[string]entry{}},
		}},
		"universe": {dir: map[string]entry{"universe-domain": value("googleapis.com")}},
		"instance": {dir: map[string]entry{
			"id":         value(i.ID),
			"zone":       value(number + "/zones/" + i.Zone),
			"region":     value(number + "/regions/" + i.Region),
			"attributes": {dir: map[string]entry{}},
			"service-accounts": {dir: map[string]entry{
				"default":        account,
				i.ServiceAccount: account,
			}},
		}},
	}}
}

// find returns the entry at a path, with or without a slash at its end.
func (e entry) find(path string) (entry, bool) {
	path = strings.Trim(path, "/")
	if path == "" {
		return e, true
	}
	for name := range strings.SplitSeq(path, "/") {
		next, ok := e.dir[name]
		if !ok {
			return entry{}, false
		}
		e = next
	}
	return e, true
}

// text is a value as text: lists have a line an element.
func (e entry) text() string {
	if list, ok := e.value.([]string); ok {
		return strings.Join(list, "\n") + "\n"
	}
	return fmt.Sprint(e.value)
}

// listing is a folder as text: a line an entry, folders with a slash.
func (e entry) listing() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e.dir)) {
		b.WriteString(name)
		if e.dir[name].dir != nil {
			b.WriteByte('/')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// json is an entry for encoding/json, names in camel case as Compute Engine
// writes them.
func (e entry) json() any {
	if e.dir == nil {
		return e.value
	}
	out := make(map[string]any, len(e.dir))
	for name, sub := range e.dir {
		out[camel(name)] = sub.json()
	}
	return out
}

// camel turns project-id into projectId; an address stays as it is.
func camel(name string) string {
	if strings.Contains(name, "@") {
		return name
	}
	parts := strings.Split(name, "-")
	for i := 1; i < len(parts); i++ {
		if parts[i] != "" {
			parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
		}
	}
	return strings.Join(parts, "")
}

// etag changes with the content.
func (e entry) etag() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%v", e.json()))
	return hex.EncodeToString(sum[:8])
}
