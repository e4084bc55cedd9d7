package appenginev1

import (
	"context"
	"fmt"

	"cloud.google.com/go/appengine/apiv1/appenginepb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/appengine"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
)

type applications struct{ *API }

func (s applications) GetApplication(ctx context.Context, req *appenginepb.GetApplicationRequest) (*appenginepb.Application, error) {
	project, err := parseApp("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return s.application(ctx, project)
}

func (s applications) CreateApplication(ctx context.Context, req *appenginepb.CreateApplicationRequest) (*longrunningpb.Operation, error) {
	app := req.GetApplication()
	doc, err := protojson.Marshal(app)
	if err != nil {
		return nil, fmt.Errorf("encode application: %w", err)
	}
	return s.encode(ctx)(s.Admin.CreateApplication(ctx, app.GetId(), app.GetLocationId(), doc, s.User(ctx)))
}

func (s applications) UpdateApplication(ctx context.Context, req *appenginepb.UpdateApplicationRequest) (*longrunningpb.Operation, error) {
	project, err := parseApp("name", req.GetName())
	if err != nil {
		return nil, err
	}
	if err := appengine.CheckApp(project); err != nil {
		return nil, err
	}
	paths, err := fieldmask.Paths(req.GetUpdateMask(), &appenginepb.Application{})
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, sunya.Invalid("updateMask", "is empty: name the fields to change")
	}
	for _, p := range paths {
		if p != "dispatch_rules" {
			return nil, &sunya.Error{Code: sunya.Unimplemented, Resource: req.GetName(), Field: p, Message: "cannot be changed yet: only dispatchRules can"}
		}
	}
	return s.encode(ctx)(s.Admin.SetDispatch(ctx, project, decodeDispatch(req.GetApplication().GetDispatchRules()), s.User(ctx)))
}

func decodeDispatch(rules []*appenginepb.UrlDispatchRule) []appengine.DispatchRule {
	var out []appengine.DispatchRule
	for _, r := range rules {
		out = append(out, appengine.DispatchRule{Domain: r.GetDomain(), Path: r.GetPath(), Service: r.GetService()})
	}
	return out
}

func encodeDispatch(rules []appengine.DispatchRule) []*appenginepb.UrlDispatchRule {
	var out []*appenginepb.UrlDispatchRule
	for _, r := range rules {
		out = append(out, &appenginepb.UrlDispatchRule{Domain: r.Domain, Path: r.Path, Service: r.Service})
	}
	return out
}

func (s applications) RepairApplication(ctx context.Context, req *appenginepb.RepairApplicationRequest) (*longrunningpb.Operation, error) {
	project, err := parseApp("name", req.GetName())
	if err != nil {
		return nil, err
	}
	return s.encode(ctx)(s.Admin.RepairApplication(ctx, project, s.User(ctx)))
}

// application shows an application: what was sent, with what the platform
// knows on top.
func (a *API) application(ctx context.Context, project string) (*appenginepb.Application, error) {
	app, err := a.Admin.Application(ctx, project)
	if err != nil {
		return nil, err
	}
	out := &appenginepb.Application{}
	if len(app.Document) > 0 {
		if err := lenient().Unmarshal(app.Document, out); err != nil {
			return nil, fmt.Errorf("decode application %s: %w", project, err)
		}
	}
	out.Name, out.Id = appengine.AppName(project), project
	out.LocationId = app.Location
	out.DispatchRules = encodeDispatch(app.DispatchRules)
	out.CodeBucket = appengine.CodeBucket(project)
	out.DefaultBucket = appengine.DefaultBucket(project)
	out.ServiceAccount = sunya.AppAccount(project)
	out.DefaultHostname = a.Admin.Address(project)
	out.ServingStatus = appenginepb.Application_SERVING
	return out, nil
}

// lenient reads documents that a newer server may have stored.
func lenient() protojson.UnmarshalOptions { return protojson.UnmarshalOptions{DiscardUnknown: true} }
