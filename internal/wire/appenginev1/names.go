package appenginev1

import (
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
)

// split takes the variable parts out of a resource name; pattern names its
// collections: apps, services, versions.
func split(field, name string, pattern ...string) ([]string, error) {
	parts := strings.Split(name, "/")
	bad := len(parts) != 2*len(pattern)
	ids := make([]string, len(pattern))
	for i := 0; i < len(pattern) && !bad; i++ {
		ids[i] = parts[2*i+1]
		bad = parts[2*i] != pattern[i] || ids[i] == ""
	}
	if bad {
		return nil, sunya.Invalid(field, "%q is not a name of the form %s", name, strings.Join(pattern, "/*/")+"/*")
	}
	return ids, nil
}

func parseApp(field, name string) (project string, err error) {
	ids, err := split(field, name, "apps")
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

func parseService(field, name string) (project, service string, err error) {
	ids, err := split(field, name, "apps", "services")
	if err != nil {
		return "", "", err
	}
	return ids[0], ids[1], nil
}

func parseVersion(field, name string) (appengine.Key, error) {
	ids, err := split(field, name, "apps", "services", "versions")
	if err != nil {
		return appengine.Key{}, err
	}
	return appengine.Key{Project: ids[0], Service: ids[1], ID: ids[2]}, nil
}
