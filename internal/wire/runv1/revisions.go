package runv1

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/run/apiv2/runpb"
	knative "google.golang.org/api/run/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/run"
)

func (a *API) getRevision(ctx context.Context, r *request) (any, error) {
	s, rev, err := a.revision(ctx, r)
	if err != nil {
		return nil, err
	}
	return a.encodeRevision(s, rev)
}

// revision finds a revision by its name alone: that of its service is the
// beginning of it.
func (a *API) revision(ctx context.Context, r *request) (*run.Service, *run.Revision, error) {
	all, err := a.services(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		if !strings.HasPrefix(r.id, all[i].ID+"-") {
			continue
		}
		rev, err := a.Admin.Revision(ctx, all[i].Key, r.id)
		if sunya.CodeOf(err) != sunya.NotFound {
			return &all[i], rev, err
		}
	}
	return nil, nil, sunya.Errorf(sunya.NotFound, r.id, "revision not found")
}

func (a *API) listRevisions(ctx context.Context, r *request) (any, error) {
	all, err := a.services(ctx, r)
	if err != nil {
		return nil, err
	}
	chosen, err := parseSelector(r.URL.Query().Get("labelSelector"))
	if err != nil {
		return nil, err
	}
	var items []*knative.Revision
	for i := range all {
		if !chosen.admits(serviceLabel, all[i].ID) {
			continue
		}
		revs, err := a.Admin.Revisions(ctx, all[i].Key, run.Cursor{}, everything)
		if err != nil {
			return nil, err
		}
		for j := range revs {
			item, err := a.encodeRevision(&all[i], &revs[j])
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
	}
	items, meta, err := paged(r, items, func(r *knative.Revision) *knative.ObjectMeta { return r.Metadata })
	if err != nil {
		return nil, err
	}
	return &knative.ListRevisionsResponse{ApiVersion: servingVersion, Kind: "RevisionList", Metadata: meta, Items: items}, nil
}

func (a *API) deleteRevision(ctx context.Context, r *request) (any, error) {
	s, rev, err := a.revision(ctx, r)
	if err != nil {
		return nil, err
	}
	dry, err := r.dryRun()
	if err != nil {
		return nil, err
	}
	_, _, err = a.Admin.DeleteRevision(ctx, s.Key, rev.ID, run.Request{Method: "google.cloud.run.v2.Revisions.DeleteRevision", ValidateOnly: dry})
	if err != nil {
		return nil, err
	}
	return success(), nil
}

// encodeRevision shows a revision, and whether its service sends it requests.
func (a *API) encodeRevision(s *run.Service, rev *run.Revision) (*knative.Revision, error) {
	m, err := a.show.Revision(rev)
	if err != nil {
		return nil, err
	}
	t := templateOf(m)
	shown := encodeTemplate(t)
	meta := metaOf(s.Project, "revisions", rev.ID, m)
	meta.Annotations = shown.Metadata.Annotations
	if m.GetCreator() != "" {
		meta.Annotations = withLabels(meta.Annotations, creatorKey, m.GetCreator())
	}
	meta.Labels = withLabels(shown.Metadata.Labels,
		locationLabel, s.Location,
		serviceLabel, s.ID,
		servingPrefix+"serviceUid", s.UID,
		servingPrefix+"configuration", s.ID,
		servingPrefix+"configurationGeneration", strconv.FormatInt(rev.Generation, 10),
		servingPrefix+"route", s.ID,
		servingPrefix+"revisionUid", rev.UID,
	)
	meta.OwnerReferences = []*knative.OwnerReference{{ApiVersion: servingVersion, Kind: "Configuration", Name: s.ID, Uid: s.UID, Controller: true, BlockOwnerDeletion: true}}
	out := &knative.Revision{
		ApiVersion: servingVersion, Kind: "Revision", Metadata: meta, Spec: shown.Spec,
		Status: &knative.RevisionStatus{ObservedGeneration: m.GetObservedGeneration(), Conditions: encodeConditions(append(m.GetConditions(), active(s, rev)))},
	}
	for _, c := range m.GetContainers() {
		if _, digest, ok := strings.Cut(c.GetImage(), "@"); ok && digest != "" && len(c.GetPorts()) > 0 {
			out.Status.ImageDigest = c.GetImage()
		}
	}
	return out, nil
}

// templateOf is a revision as the template that it was made of.
func templateOf(m *runpb.Revision) *runpb.RevisionTemplate {
	return &runpb.RevisionTemplate{
		Labels: m.GetLabels(), Annotations: m.GetAnnotations(), Scaling: m.GetScaling(), Timeout: m.GetTimeout(),
		ServiceAccount: m.GetServiceAccount(), Containers: m.GetContainers(), Volumes: m.GetVolumes(),
		ExecutionEnvironment: m.GetExecutionEnvironment(), MaxInstanceRequestConcurrency: m.GetMaxInstanceRequestConcurrency(),
		SessionAffinity: m.GetSessionAffinity(),
	}
}

// active says whether a revision can get requests: through a share of the
// traffic, or under a tag.
func active(s *run.Service, rev *run.Revision) *runpb.Condition {
	c := &runpb.Condition{Type: run.ConditionActive, State: runpb.Condition_CONDITION_SUCCEEDED, LastTransitionTime: timestamppb.New(rev.UpdateTime)}
	if !slices.ContainsFunc(s.Served, func(t run.Target) bool { return t.Revision == rev.ID }) {
		c.State, c.Message = runpb.Condition_CONDITION_FAILED, "Revision retired."
		c.Reasons = &runpb.Condition_RevisionReason_{RevisionReason: runpb.Condition_RETIRED}
	}
	return c
}
