package eventarcv1

import (
	"context"
	"errors"
	"strings"

	pb "cloud.google.com/go/eventarc/apiv1/eventarcpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/eventing"
	"github.com/sunya-cloud/sunya/internal/wire/fieldmask"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

// Page sizes of lists.
const (
	defaultPage = 100
	maxPage     = 1000
)

// GetTrigger implements the service.
func (a *API) GetTrigger(ctx context.Context, req *pb.GetTriggerRequest) (*pb.Trigger, error) {
	k, err := eventing.ParseName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	t, err := a.Events.Trigger(ctx, k)
	if err != nil {
		return nil, err
	}
	return a.encode(t)
}

// ListTriggers implements the service. Those of functions are among them.
func (a *API) ListTriggers(ctx context.Context, req *pb.ListTriggersRequest) (*pb.ListTriggersResponse, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	if req.GetFilter() != "" {
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "filter", Message: "filters on triggers are not supported: leave it out and choose from the whole list"}
	}
	if order := req.GetOrderBy(); order != "" && order != "name" {
		return nil, &sunya.Error{Code: sunya.Unimplemented, Field: "order_by", Message: "lists are in the order of their names: leave it out"}
	}
	size, err := page.Size(int(req.GetPageSize()), defaultPage, maxPage)
	if err != nil {
		return nil, err
	}
	after, err := page.Cursor(req.GetPageToken(), "triggers", req.GetParent())
	if err != nil {
		return nil, err
	}
	list, err := a.Events.Triggers(ctx, project, location, after, size+1)
	if err != nil {
		return nil, err
	}
	out := &pb.ListTriggersResponse{}
	if len(list) > size {
		list = list[:size]
		last := list[size-1]
		out.NextPageToken = page.Token(last.Location+"/"+last.ID, "triggers", req.GetParent())
	}
	for i := range list {
		t, err := a.encode(&list[i])
		if err != nil {
			return nil, err
		}
		out.Triggers = append(out.Triggers, t)
	}
	return out, nil
}

// CreateTrigger implements the service.
func (a *API) CreateTrigger(ctx context.Context, req *pb.CreateTriggerRequest) (*longrunningpb.Operation, error) {
	project, location, err := sunya.ParseLocation("parent", req.GetParent())
	if err != nil {
		return nil, err
	}
	k := eventing.Key{Project: project, Location: location, ID: req.GetTriggerId()}
	if k.ID == "" {
		k.ID = req.GetTrigger().GetName()[strings.LastIndexByte(req.GetTrigger().GetName(), '/')+1:]
	}
	spec, err := decode(k, req.GetTrigger())
	if err != nil {
		return nil, err
	}
	if req.GetValidateOnly() {
		if err := a.Events.CheckCreate(ctx, k, spec); err != nil {
			return nil, inTrigger(err)
		}
		return a.done(ctx, "CreateTrigger", k)
	}
	if _, err := a.Events.Create(ctx, k, spec); err != nil {
		return nil, inTrigger(err)
	}
	return a.done(ctx, "CreateTrigger", k)
}

// inTrigger spells the field of an error about a trigger as requests do.
func inTrigger(err error) error {
	var e *sunya.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Field {
	case "event_filters", "destination", "service_account", "transport.pubsub.topic":
		return sunya.InField("trigger."+e.Field, err)
	}
	return err
}

// UpdateTrigger implements the service. The mask means nothing to a trigger that
// is made.
func (a *API) UpdateTrigger(ctx context.Context, req *pb.UpdateTriggerRequest) (*longrunningpb.Operation, error) {
	k, err := eventing.ParseName("trigger.name", req.GetTrigger().GetName())
	if err != nil {
		return nil, err
	}
	paths, err := fieldmask.Paths(req.GetUpdateMask(), req.GetTrigger())
	if err != nil {
		return nil, err
	}
	change := func(now *eventing.Trigger) error {
		if err := a.changeable(now, req.GetTrigger().GetEtag()); err != nil {
			return err
		}
		next := req.GetTrigger()
		if len(paths) > 0 {
			have, err := a.encode(now)
			if err != nil {
				return err
			}
			if err := fieldmask.Apply(have, next, paths); err != nil {
				return err
			}
			next = have
		}
		spec, err := decode(k, next)
		if err != nil {
			return err
		}
		if topic := spec.Topic; topic != "" && topic != now.Topic {
			return sunya.Invalid("trigger.transport", "the topic of a trigger cannot be changed: create another trigger")
		}
		spec.Topic = now.Topic
		now.Spec = spec
		return nil
	}
	if req.GetValidateOnly() {
		err = a.Events.CheckUpdate(ctx, k, change)
	} else {
		_, err = a.Events.Update(ctx, k, change)
	}
	if sunya.CodeOf(err) == sunya.NotFound && req.GetAllowMissing() {
		if _, gone := a.Events.Trigger(ctx, k); sunya.CodeOf(gone) == sunya.NotFound {
			return a.CreateTrigger(ctx, &pb.CreateTriggerRequest{
				Parent: sunya.LocationName(k.Project, k.Location), TriggerId: k.ID, Trigger: req.GetTrigger(), ValidateOnly: req.GetValidateOnly(),
			})
		}
	}
	if err != nil {
		return nil, inTrigger(err)
	}
	return a.done(ctx, "UpdateTrigger", k)
}

// changeable reports whether a trigger may be changed here, as it was read.
func (a *API) changeable(t *eventing.Trigger, etag string) error {
	if t.Owner != "" {
		return sunya.Errorf(sunya.FailedPrecondition, t.Name(), "the trigger belongs to %s: change or delete that", t.Owner)
	}
	if etag != "" && etag != etagOf(t) {
		return sunya.Errorf(sunya.Aborted, t.Name(), "the trigger has changed since it was read: read it again")
	}
	return nil
}

// DeleteTrigger implements the service.
func (a *API) DeleteTrigger(ctx context.Context, req *pb.DeleteTriggerRequest) (*longrunningpb.Operation, error) {
	k, err := eventing.ParseName("name", req.GetName())
	if err != nil {
		return nil, err
	}
	t, err := a.Events.Trigger(ctx, k)
	if sunya.CodeOf(err) == sunya.NotFound && req.GetAllowMissing() {
		return a.done(ctx, "DeleteTrigger", k)
	}
	if err != nil {
		return nil, err
	}
	if err := a.changeable(t, req.GetEtag()); err != nil {
		return nil, err
	}
	if !req.GetValidateOnly() {
		if _, err := a.Events.Delete(ctx, k); err != nil {
			return nil, err
		}
	}
	return a.done(ctx, "DeleteTrigger", k)
}

// GetProvider implements the service.
func (a *API) GetProvider(_ context.Context, req *pb.GetProviderRequest) (*pb.Provider, error) {
	parent, id, ok := strings.Cut(req.GetName(), "/providers/")
	if _, _, err := sunya.ParseLocation("name", parent); err != nil || !ok {
		return nil, sunya.Invalid("name", "%q is not a name of the form projects/*/locations/*/providers/*", req.GetName())
	}
	for _, p := range a.Events.Providers() {
		if p.Name == id {
			return provider(parent, &p), nil
		}
	}
	return nil, sunya.Errorf(sunya.NotFound, req.GetName(), "there is no provider of this name here")
}

// ListProviders implements the service.
func (a *API) ListProviders(_ context.Context, req *pb.ListProvidersRequest) (*pb.ListProvidersResponse, error) {
	if _, _, err := sunya.ParseLocation("parent", req.GetParent()); err != nil {
		return nil, err
	}
	out := &pb.ListProvidersResponse{}
	for _, p := range a.Events.Providers() {
		out.Providers = append(out.Providers, provider(req.GetParent(), &p))
	}
	return out, nil
}

func provider(parent string, p *eventing.Provider) *pb.Provider {
	out := &pb.Provider{Name: parent + "/providers/" + p.Name, DisplayName: p.Display}
	for _, t := range p.Types {
		shown := &pb.EventType{Type: t.Type, Description: t.Description, FilteringAttributes: []*pb.FilteringAttribute{{Attribute: "type", Required: true}}}
		for _, x := range t.Attributes {
			shown.FilteringAttributes = append(shown.FilteringAttributes, &pb.FilteringAttribute{
				Attribute: x.Name, Description: x.Description, Required: x.Required, PathPatternSupported: x.Pattern,
			})
		}
		out.EventTypes = append(out.EventTypes, shown)
	}
	return out
}
