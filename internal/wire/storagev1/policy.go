package storagev1

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// policyDocument is an IAM policy. It is kept and returned; access does not
// depend on it.
type policyDocument struct {
	Kind       string          `json:"kind"`
	ResourceID string          `json:"resourceId"`
	Version    int             `json:"version"`
	Etag       string          `json:"etag"`
	Bindings   []policyBinding `json:"bindings"`
}

type policyBinding struct {
	Role      string          `json:"role"`
	Members   []string        `json:"members"`
	Condition json.RawMessage `json:"condition,omitempty"`
}

func (h *handler) getPolicy(w http.ResponseWriter, r *http.Request, t target) error {
	b, err := h.objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	p, err := policyOf(b)
	if err != nil {
		return err
	}
	return reply(w, r, p)
}

func (h *handler) setPolicy(w http.ResponseWriter, r *http.Request, t target) error {
	var in policyDocument
	if err := decodeInto(r, &in); err != nil {
		return err
	}
	for _, binding := range in.Bindings {
		if binding.Role == "" {
			return sunya.Invalid("bindings.role", "a binding needs a role")
		}
		for _, m := range binding.Members {
			if m == "" {
				return sunya.Invalid("bindings.members", "a member of %s is empty", binding.Role)
			}
		}
	}
	etag := in.Etag
	in.Kind, in.ResourceID, in.Etag = "", "", ""
	stored, err := json.Marshal(in)
	if err != nil {
		return sunya.Errorf(sunya.Internal, "", "encode policy: %v", err)
	}
	b, err := h.objects.UpdateBucket(r.Context(), t.bucket, objects.Conditions{}, func(b *objects.Bucket) error {
		have, err := policyOf(b)
		if err != nil {
			return err
		}
		if etag != "" && etag != have.Etag {
			return &sunya.Error{Code: sunya.FailedPrecondition, Resource: b.Name, Reason: objects.ReasonConditionNotMet,
				Message: "the policy changed in the meantime: read it again", Err: &objects.ConditionNotMet{Condition: "etag"}}
		}
		b.Policy = stored
		return nil
	})
	if err != nil {
		return err
	}
	p, err := policyOf(b)
	if err != nil {
		return err
	}
	return reply(w, r, p)
}

// policyOf is a bucket's policy; without one of its own, the one that buckets
// begin with.
func policyOf(b *objects.Bucket) (*policyDocument, error) {
	p := &policyDocument{Version: 1, Bindings: []policyBinding{
		{Role: "roles/storage.legacyBucketOwner", Members: []string{"projectEditor:" + b.Project, "projectOwner:" + b.Project}},
		{Role: "roles/storage.legacyBucketReader", Members: []string{"projectViewer:" + b.Project}},
	}}
	if b.Policy != nil {
		*p = policyDocument{}
		if err := json.Unmarshal(b.Policy, p); err != nil {
			return nil, sunya.Errorf(sunya.DataLoss, b.Name, "the stored policy is damaged: %v", err)
		}
	}
	sum := sha256.Sum256(b.Policy)
	p.Kind, p.ResourceID, p.Etag = "storage#policy", "projects/_/buckets/"+b.Name, base64.StdEncoding.EncodeToString(sum[:8])
	p.Version = max(p.Version, 1)
	if p.Bindings == nil {
		p.Bindings = []policyBinding{}
	}
	return p, nil
}

// testPermissions returns what was asked: whoever reaches the API may do
// everything.
func (h *handler) testPermissions(w http.ResponseWriter, r *http.Request, t target) error {
	if _, err := h.objects.GetBucket(r.Context(), t.bucket, objects.Conditions{}); err != nil {
		return err
	}
	asked := r.URL.Query()["permissions"]
	if len(asked) == 0 {
		return required("permissions")
	}
	return reply(w, r, map[string]any{"kind": "storage#testIamPermissionsResponse", "permissions": asked})
}
