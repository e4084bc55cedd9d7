package runv1

import (
	"cmp"
	"slices"
	"strconv"

	knative "google.golang.org/api/run/v1"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// paged is the page of a list that a call asks for: those that its selector
// chooses, in order of their names, at most limit, beginning after continue.
func paged[T any](r *request, items []T, meta func(T) *knative.ObjectMeta) ([]T, *knative.ListMeta, error) {
	q := r.URL.Query()
	chosen, err := parseSelector(q.Get("labelSelector"))
	if err != nil {
		return nil, nil, err
	}
	if q.Get("fieldSelector") != "" {
		return nil, nil, unimplemented("fieldSelector", "is not supported yet: leave it out and choose from the whole list")
	}
	limit, err := limitOf(q.Get("limit"))
	if err != nil {
		return nil, nil, err
	}
	after, err := page.Cursor(q.Get("continue"), r.project, r.location)
	if err != nil {
		return nil, nil, sunya.InField("continue", err)
	}
	items = slices.DeleteFunc(items, func(item T) bool {
		m := meta(item)
		return !chosen.matches(m.Labels) || after != "" && place(m) <= after
	})
	slices.SortFunc(items, func(a, b T) int { return cmp.Compare(place(meta(a)), place(meta(b))) })
	out := &knative.ListMeta{}
	if limit > 0 && len(items) > limit {
		items = items[:limit]
		out.Continue = page.Token(place(meta(items[limit-1])), r.project, r.location)
	}
	return items, out, nil
}

// place orders resources of all locations.
func place(m *knative.ObjectMeta) string { return m.Name + "/" + m.Labels[locationLabel] }

func limitOf(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, sunya.Invalid("limit", "%q is not a number of items: use 0 or more", s)
	}
	return n, nil
}
