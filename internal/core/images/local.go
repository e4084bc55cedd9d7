package images

import "strings"

// Own says which registries are this server's own one, under all their names.
type Own struct {
	hosts map[string]bool
}

// NewOwn returns an Own with hosts, each HOST or HOST:PORT, besides Google's.
func NewOwn(hosts ...string) Own {
	o := Own{hosts: map[string]bool{}}
	for _, h := range hosts {
		o.hosts[strings.ToLower(h)] = true
	}
	return o
}

// Repository returns where the registry here keeps what r names. Every name of
// the server and of Google's registries stands for the same repositories:
// gcr.io/P/N, us-docker.pkg.dev/P/N and localhost:8080/P/N are P/N. Those of
// all other registries have their host in front.
func (o Own) Repository(r Reference) string {
	return o.InRegistry(r.Host, r.Repository)
}

// InRegistry is Repository for a host and a repository; an empty host is this
// server, so that a host in front of the repository's own name counts, too
// (localhost:8080/gcr.io/P/N).
func (o Own) InRegistry(host, repository string) string {
	if host == "" || o.hosts[host] {
		first, rest, ok := strings.Cut(repository, "/")
		// No project has a dot or an underscore in its name.
		if !ok || !strings.ContainsAny(first, "._") {
			return repository
		}
		host, repository = strings.ReplaceAll(first, "_", ":"), rest
	}
	if Google(host) {
		return repository
	}
	return pulledName(host, repository)
}

// pulledName is the repository for what comes from a repository of another
// registry.
func pulledName(host, repository string) string {
	return strings.ReplaceAll(host, ":", "_") + "/" + repository
}

// Here reports whether host is this server itself: what is not in its registry
// is nowhere.
func (o Own) Here(host string) bool { return o.hosts[host] }

// Google reports whether a host is one of Google's registries for container
// images: gcr.io with or without a continent, LOCATION-docker.pkg.dev.
func Google(host string) bool {
	switch host {
	case "gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io":
		return true
	}
	location, ok := strings.CutSuffix(host, "-docker.pkg.dev")
	return ok && location != "" && !strings.Contains(location, ".")
}
