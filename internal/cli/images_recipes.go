package cli

import (
	"maps"
	"slices"
	"strings"
)

// recipe says how a base image is made from packages of Debian.
type recipe struct {
	packages   []string
	links      map[string]string // path to target, for what images have under another name
	remove     []string          // paths
	env        []string
	entrypoint []string
	cmd        []string
	version    string // package whose version is what the tag promises; empty: the suite's
}

// searchPath is PATH of the images, as Docker's have it.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// recipes are by repository. Tags are the user's: every one is made from what the
// distribution has, and what that is gets printed.
var recipes = map[string]recipe{
	"debian": {cmd: []string{"bash"}},
	"python": {
		packages: []string{"ca-certificates", "python3", "python3-pip", "python3-venv"},
		links:    map[string]string{"/usr/local/bin/python": "/usr/bin/python3", "/usr/local/bin/pip": "/usr/bin/pip3"},
		remove:   []string{"/usr/lib/python3*/EXTERNALLY-MANAGED"}, // pip installs into an image, as into Docker's
		env:      []string{"LANG=C.UTF-8"}, cmd: []string{"python3"}, version: "python3",
	},
	"node": {
		packages: []string{"ca-certificates", "nodejs", "npm"},
		cmd:      []string{"node"}, version: "nodejs",
	},
	"golang": {
		packages: []string{"ca-certificates", "golang", "git"},
		env:      []string{"GOPATH=/go", "GOTOOLCHAIN=auto", "PATH=/go/bin:/usr/local/go/bin" + strings.TrimPrefix(searchPath, "PATH=/usr/local/sbin")},
		cmd:      []string{"bash"}, version: "golang",
	},
	"nginx": {
		packages: []string{"ca-certificates", "nginx-light"},
		links:    map[string]string{"/var/log/nginx/access.log": "/dev/stdout", "/var/log/nginx/error.log": "/dev/stderr"},
		cmd:      []string{"nginx", "-g", "daemon off;"}, version: "nginx-light",
	},
	"busybox": {packages: []string{"busybox-static"}, cmd: []string{"sh"}, version: "busybox-static"},
}

func recipeNames() string { return strings.Join(slices.Sorted(maps.Keys(recipes)), ", ") }

// script is the shell line with which mmdebstrap finishes a tree, whose path it
// hands over as $1.
func (r recipe) script() string {
	lines := []string{"set -e"}
	for _, path := range slices.Sorted(maps.Keys(r.links)) {
		lines = append(lines, `mkdir -p "$1`+path[:strings.LastIndexByte(path, '/')]+`"`, `ln -sf `+r.links[path]+` "$1`+path+`"`)
	}
	for _, path := range r.remove {
		lines = append(lines, `rm -f "$1"`+path)
	}
	if r.version != "" {
		lines = append(lines, `chroot "$1" dpkg-query -W -f '${Package} ${Version}\n' `+r.version+` >&2`)
	}
	return strings.Join(lines, "; ")
}
