package testbench

import (
	"net/http"
	"strings"
)

// Method is the method of Storage's API that a request calls, as Google's
// documents of discovery name it; empty for what is none.
func Method(r *http.Request) string {
	path := r.URL.EscapedPath()
	api := false
	for _, prefix := range []string{"/resumable", "/upload", "/download", "/storage/v1"} {
		var ok bool
		path, ok = strings.CutPrefix(path, prefix)
		api = api || ok
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case !api && parts[0] != "b":
		return xmlMethod(r, parts)
	case parts[0] == "projects" && len(parts) > 2:
		return projectMethod(r, parts[2:])
	case parts[0] != "b":
		return ""
	case len(parts) < 3:
		return "storage.buckets." + verb(r, len(parts) == 1)
	case parts[2] == "o":
		return objectMethod(r, parts[3:])
	}
	return bucketMethod(r, parts[2:])
}

// verb is what a request does with a resource, or with all of a kind.
func verb(r *http.Request, all bool) string {
	if all && r.Method == http.MethodGet {
		return "list"
	}
	return map[string]string{
		http.MethodGet: "get", http.MethodPost: "insert", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete",
	}[r.Method]
}

func xmlMethod(r *http.Request, parts []string) string {
	switch {
	case len(parts) < 2:
		return ""
	case r.Method == http.MethodGet:
		return "storage.objects.get"
	case r.Method == http.MethodPut, r.Method == http.MethodPost:
		return "storage.objects.insert"
	}
	return ""
}

func projectMethod(r *http.Request, parts []string) string {
	if parts[0] == "serviceAccount" {
		return "storage.serviceaccount.get"
	}
	v := verb(r, len(parts) == 1)
	if v == "insert" {
		v = "create"
	}
	return "storage.hmacKey." + v
}

func bucketMethod(r *http.Request, parts []string) string {
	switch strings.Join(parts, "/") {
	case "iam/testPermissions":
		return "storage.buckets.testIamPermissions"
	case "iam":
		return map[string]string{http.MethodGet: "storage.buckets.getIamPolicy", http.MethodPut: "storage.buckets.setIamPolicy"}[r.Method]
	}
	lists := map[string]string{"acl": "bucket_acl", "defaultObjectAcl": "default_object_acl", "notificationConfigs": "notifications"}
	if name, ok := lists[parts[0]]; ok {
		return "storage." + name + "." + verb(r, len(parts) == 1)
	}
	return "storage.buckets." + parts[0]
}

func objectMethod(r *http.Request, parts []string) string {
	upload := strings.Contains(r.URL.Path, "/upload/")
	switch {
	case upload && r.Method == http.MethodDelete:
		return "storage.objects.delete"
	case upload:
		return "storage.objects.insert"
	case len(parts) < 2:
		return "storage.objects." + verb(r, len(parts) == 0)
	case parts[1] == "acl":
		return "storage.object_acl." + verb(r, len(parts) == 2)
	}
	return "storage.objects." + strings.TrimSuffix(parts[1], "To")
}
