// Package scope limits what a request reaches to one project: that of the
// instance it comes from. What has no scope is not limited.
package scope

import (
	"context"

	"github.com/sunya-cloud/sunya"
)

type key struct{}

// With limits what is done with the context to a project; an empty one has
// nothing.
func With(ctx context.Context, project string) context.Context {
	return context.WithValue(ctx, key{}, project)
}

// Of returns the project that the context is limited to, if it is.
func Of(ctx context.Context) (project string, limited bool) {
	project, limited = ctx.Value(key{}).(string)
	return project, limited
}

// Check is PermissionDenied where the context is limited to another project than
// the one that a resource belongs to.
func Check(ctx context.Context, project, resource string) error {
	own, limited := Of(ctx)
	if !limited || own != "" && own == project {
		return nil
	}
	return sunya.Errorf(sunya.PermissionDenied, resource, "it is of project %s, and an instance of project %s reaches what is its own project's: use that, or call from outside", project, own)
}
