package appengine

import (
	"context"
	"fmt"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appyaml"
	"github.com/sunya-cloud/sunya/internal/core/serving"
)

// DispatchRule sends requests that do not address a service or version to a
// service, by host and path.
type DispatchRule = appyaml.DispatchRule

// SetDispatch replaces an application's dispatch rules. The operation is done
// when it returns.
func (a *Admin) SetDispatch(ctx context.Context, project string, rules []DispatchRule, user string) (*sunya.Operation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	app, err := a.Application(ctx, project)
	if err != nil {
		return nil, err
	}
	core, err := a.dispatch(ctx, project, rules)
	if err != nil {
		return nil, err
	}
	name := ServiceName(project, DefaultService)
	err = a.Catalog.Update(ctx, name, func(svc sunya.Service) (serving.Change, error) {
		svc.Dispatch = core
		return serving.Change{PutServices: []sunya.Service{svc}}, nil
	})
	if sunya.CodeOf(err) == sunya.NotFound {
		return nil, sunya.Errorf(sunya.FailedPrecondition, AppName(project), "the application has no default service yet: deploy it, then its dispatch rules")
	}
	if err != nil {
		return nil, err
	}
	app.DispatchRules = rules
	if err := a.Store.PutApplication(ctx, app); err != nil {
		return nil, err
	}
	return a.finished(ctx, a.operation(project, "Applications.UpdateApplication", AppName(project), user))
}

// dispatch checks the rules and translates them into the core's.
func (a *Admin) dispatch(ctx context.Context, project string, rules []DispatchRule) ([]sunya.DispatchRule, error) {
	const field = "application.dispatchRules"
	if len(rules) > appyaml.MaxDispatch {
		return nil, sunya.Invalid(field, "has %d rules: at most %d are allowed", len(rules), appyaml.MaxDispatch)
	}
	var out []sunya.DispatchRule
	for i, r := range rules {
		field := fmt.Sprintf("%s[%d]", field, i)
		if err := appyaml.CheckDispatch(r.Domain, r.Path); err != nil {
			return nil, sunya.InField(field, err)
		}
		if err := CheckService(r.Service); err != nil {
			return nil, sunya.InField(field+".service", err)
		}
		has, err := a.hasService(ctx, project, r.Service)
		if err != nil {
			return nil, err
		}
		if !has {
			return nil, sunya.Invalid(field+".service", "service %q does not exist: deploy it first", r.Service)
		}
		out = append(out, sunya.DispatchRule{
			Domain:  a.ownDomain(project, r.Domain),
			Path:    r.Path,
			Service: ServiceName(project, r.Service),
		})
	}
	return out, nil
}

// ownDomain lets the names that an application has at Google,
// PROJECT.appspot.com and PROJECT.REGION.r.appspot.com, mean its name here.
func (a *Admin) ownDomain(project, domain string) string {
	rest, ok := strings.CutSuffix(domain, ".appspot.com")
	if name, _, _ := strings.Cut(rest, "."); ok && name == project {
		return a.Hostname(project)
	}
	return domain
}
