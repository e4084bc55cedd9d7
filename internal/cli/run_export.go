package cli

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// exportService prints a service as a file that replace reads: in Knative's form,
// without what only the server says.
func exportService(ctx context.Context, env *Env, a *runAPI, id string) error {
	var doc map[string]any
	if err := a.knative(ctx, http.MethodGet, "/services/"+url.PathEscape(id), nil, nil, &doc); err != nil {
		return err
	}
	return printOne(env, exported(doc))
}

// outputs are the fields of metadata that only a server writes.
var outputs = []string{"creationTimestamp", "generation", "namespace", "resourceVersion", "selfLink", "uid"}

// outputAnnotations are the annotations that only a server writes.
var outputAnnotations = []string{
	"serving.knative.dev/creator", "serving.knative.dev/lastModifier",
	"run.googleapis.com/ingress-status", "run.googleapis.com/urls", "run.googleapis.com/client-name", "run.googleapis.com/client-version",
}

// exported takes out of a resource what a file of it does not say.
func exported(doc map[string]any) map[string]any {
	delete(doc, "status")
	meta, _ := doc["metadata"].(map[string]any)
	for _, field := range outputs {
		delete(meta, field)
	}
	annotations, _ := meta["annotations"].(map[string]any)
	maps.DeleteFunc(annotations, func(key string, _ any) bool {
		return slices.Contains(outputAnnotations, key) || strings.HasPrefix(key, "run.googleapis.com/build-")
	})
	if len(annotations) == 0 {
		delete(meta, "annotations")
	}
	return doc
}
