// Package projectv1 is what tools ask about a project before they deploy into
// it, of five APIs: whether services are on (Service Usage v1), the project and
// its policy (Resource Manager v1), as whom builds run (Cloud Build v1) and whether
// that account is there (IAM v1), and where functions can be (Cloud Functions v1).
// A project here is nothing but its id: what can be said follows from that.
package projectv1

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/status"
)

// Route is a path of one of the APIs; "*" stands for one segment.
type Route struct {
	API, Method, Pattern string
	Handler              http.Handler
}

// The APIs by their names.
const (
	usage    = "serviceusage.googleapis.com"
	manager  = "cloudresourcemanager.googleapis.com"
	building = "cloudbuild.googleapis.com"
	function = "cloudfunctions.googleapis.com"
	accounts = "iam.googleapis.com"
)

// Routes are what is answered. serves says which APIs the server has.
func Routes(serves func(api string) bool) []Route {
	return []Route{
		{usage, http.MethodGet, "/v1/projects/*/services/*", answer(service(serves))},
		{manager, http.MethodGet, "/v1/projects/*", answer(project)},
		{manager, http.MethodPost, "/v1/projects/*", answer(policy)},
		{building, http.MethodGet, "/v1/projects/*/locations/*/defaultServiceAccount", answer(builder)},
		{function, http.MethodGet, "/v1/projects/*/locations", answer(locations)},
		{accounts, http.MethodGet, "/v1/projects/*/serviceAccounts/*", answer(account)},
	}
}

// answer serves what f says about the project of a path and the segments behind
// its name.
func answer(f func(project string, more []string) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/projects/"), "/")
		v, err := f(parts[0], parts[1:])
		code, doc := http.StatusOK, []byte(nil)
		if err == nil {
			doc, err = json.Marshal(v)
		}
		if err != nil {
			code, doc = status.Envelope(status.FromError(err))
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(code)
		_, _ = w.Write(doc) // nobody is left to tell
	})
}

// number is a project's number as the APIs write it. Tools name a project by
// either.
func number(project string) (string, error) {
	if err := sunya.CheckProject(project); err != nil {
		return "", err
	}
	return strconv.FormatInt(sunya.ProjectNumber(project), 10), nil
}

// service is google.api.serviceusage.v1.Service. Nothing has to be switched on
// here: what the server has is on.
func service(serves func(string) bool) func(string, []string) (any, error) {
	return func(project string, more []string) (any, error) {
		n, err := number(project)
		if err != nil {
			return nil, err
		}
		name, state := more[1], "DISABLED"
		if serves(name) {
			state = "ENABLED"
		}
		return map[string]any{
			"name": "projects/" + n + "/services/" + name, "parent": "projects/" + n, "state": state,
			"config": map[string]string{"name": name},
		}, nil
	}
}

// project is google.cloud.resourcemanager.v1.Project.
func project(id string, _ []string) (any, error) {
	n, err := number(id)
	if err != nil {
		return nil, err
	}
	return map[string]string{"projectId": id, "name": id, "projectNumber": n, "lifecycleState": "ACTIVE"}, nil
}

// policy is the project's google.iam.v1.Policy, which cannot be changed: its own
// accounts may do everything in it.
func policy(name string, _ []string) (any, error) {
	id, verb, _ := strings.Cut(name, ":")
	if err := sunya.CheckProject(id); err != nil {
		return nil, err
	}
	if verb != "getIamPolicy" {
		return nil, sunya.Errorf(sunya.Unimplemented, "projects/"+id, "%q of projects is not supported: grant roles on functions", verb)
	}
	return map[string]any{"version": 1, "etag": "ACAB", "bindings": []any{
		map[string]any{"role": "roles/editor", "members": []string{
			"serviceAccount:" + sunya.ComputeAccount(id), "serviceAccount:" + sunya.AppAccount(id),
		}},
	}}, nil
}

// builder is google.devtools.cloudbuild.v1.DefaultServiceAccount.
func builder(project string, more []string) (any, error) {
	n, err := number(project)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"name":                sunya.LocationName(n, more[1]) + "/defaultServiceAccount",
		"serviceAccountEmail": "projects/" + n + "/serviceAccounts/" + sunya.ComputeAccount(project),
	}, nil
}

// account is google.iam.admin.v1.ServiceAccount. Accounts need not be made here:
// whoever is named gets tokens.
func account(project string, more []string) (any, error) {
	email := more[1]
	if err := sunya.CheckAccount("name", email); err != nil {
		return nil, err
	}
	return map[string]string{"name": "projects/" + project + "/serviceAccounts/" + email, "email": email}, nil
}

// locations are google.cloud.location.Locations: any name will do for one, and
// two are named.
func locations(project string, _ []string) (any, error) {
	if err := sunya.CheckProject(project); err != nil {
		return nil, err
	}
	var list []any
	for _, id := range []string{"local", "us-central1"} {
		list = append(list, map[string]string{"name": sunya.LocationName(project, id), "locationId": id})
	}
	return map[string]any{"locations": list}, nil
}
