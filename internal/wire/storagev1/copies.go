package storagev1

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// sourceConditions reads the preconditions of where an object comes from.
func sourceConditions(q url.Values) (objects.Conditions, error) {
	renamed := url.Values{}
	for _, name := range []string{"GenerationMatch", "GenerationNotMatch", "MetagenerationMatch", "MetagenerationNotMatch"} {
		renamed.Set("if"+name, q.Get("ifSource"+name))
	}
	return conditions(renamed)
}

// copyObject answers objects.copy.
func (h *handler) copyObject(w http.ResponseWriter, r *http.Request, t target) error {
	o, err := h.copied(r, t)
	if err != nil {
		return err
	}
	return h.replyObject(w, r, o)
}

// rewriteObject answers objects.rewrite. Copies share their bytes, so one call
// always does all of it.
func (h *handler) rewriteObject(w http.ResponseWriter, r *http.Request, t target) error {
	if r.URL.Query().Get("rewriteToken") != "" {
		return sunya.Invalid("rewriteToken", "not a token of this server: a rewrite is done in one call")
	}
	o, err := h.copied(r, t)
	if err != nil {
		return err
	}
	doc, err := h.objectResource(r, o)
	if err != nil {
		return err
	}
	size := whole(o.Size)
	return reply(w, r, struct {
		Kind     string `json:"kind"`
		Written  whole  `json:"totalBytesRewritten"`
		Size     whole  `json:"objectSize"`
		Done     bool   `json:"done"`
		Resource any    `json:"resource"`
	}{"storage#rewriteResponse", size, size, true, doc})
}

func (h *handler) copied(r *http.Request, t target) (*objects.Object, error) {
	q := r.URL.Query()
	if err := refuse(q, "destinationKmsKeyName"); err != nil {
		return nil, err
	}
	doc, err := document(r.Body)
	if err != nil {
		return nil, err
	}
	c := objects.Copy{Bucket: t.bucket, Name: t.object, ToBucket: t.to.bucket, ToName: t.to.object}
	var errs [3]error
	source, err := number(q, "sourceGeneration")
	if source != nil {
		c.Generation = *source
	}
	c.SourceConditions, errs[1] = sourceConditions(q)
	c.Conditions, errs[2] = conditions(q)
	errs[0] = err
	if err := first(errs[:]); err != nil {
		return nil, err
	}
	if doc.without(objectServerOnlyBut("storageClass")); len(doc) > 0 {
		c.Replace = &objects.NewObject{}
		if err := readProperties(doc, &c.Replace.Properties); err != nil {
			return nil, err
		}
		if err := fromResource(c.Replace, doc); err != nil {
			return nil, err
		}
		if err := h.predefineObject(r, doc, "destinationPredefinedAcl", t.to.bucket); err != nil {
			return nil, err
		}
		if c.Replace.Document, err = doc.encode(); err != nil {
			return nil, err
		}
	}
	return h.objects.Copy(r.Context(), c)
}

func objectServerOnlyBut(keep string) []string {
	var out []string
	for _, f := range objectServerOnly() {
		if f != keep {
			out = append(out, f)
		}
	}
	return out
}

// moveObject answers objects.move: within one bucket, at once.
func (h *handler) moveObject(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	from, err := sourceConditions(q)
	if err != nil {
		return err
	}
	to, err := conditions(q)
	if err != nil {
		return err
	}
	o, err := h.objects.Move(r.Context(), t.bucket, t.object, t.to.object, from, to)
	if err != nil {
		return err
	}
	return h.replyObject(w, r, o)
}

// restoreObject answers objects.restore.
func (h *handler) restoreObject(w http.ResponseWriter, r *http.Request, t target) error {
	gen, cond, err := which(r.URL.Query())
	if err != nil {
		return err
	}
	if gen == 0 {
		return required("generation")
	}
	o, err := h.objects.Restore(r.Context(), t.bucket, t.object, gen, cond)
	if err != nil {
		return err
	}
	return h.replyObject(w, r, o)
}

type composeRequest struct {
	SourceObjects []struct {
		Name          string `json:"name"`
		Generation    whole  `json:"generation"`
		Preconditions struct {
			GenerationMatch *whole `json:"ifGenerationMatch"`
		} `json:"objectPreconditions"`
	} `json:"sourceObjects"`
	DeleteSourceObjects bool `json:"deleteSourceObjects"`
}

// composeObject answers objects.compose.
func (h *handler) composeObject(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	if err := refuse(q, "kmsKeyName"); err != nil {
		return err
	}
	body, err := document(r.Body)
	if err != nil {
		return err
	}
	destination := fields{}
	if raw, ok := body["destination"]; ok && string(raw) != "null" {
		if err := json.Unmarshal(raw, &destination); err != nil {
			return sunya.Invalid("destination", "not an object")
		}
	}
	delete(body, "destination")
	var in composeRequest
	if err := body.into(&in); err != nil {
		return err
	}
	if len(in.SourceObjects) == 0 {
		return required("sourceObjects")
	}
	n := objects.NewObject{Bucket: t.bucket, Name: t.object}
	if err := readProperties(destination, &n.Properties); err != nil {
		return err
	}
	if err := fromResource(&n, destination); err != nil {
		return err
	}
	n.Name = t.object
	destination.without(objectServerOnly())
	if err := h.predefineObject(r, destination, "destinationPredefinedAcl", t.bucket); err != nil {
		return err
	}
	if n.Document, err = destination.encode(); err != nil {
		return err
	}
	if n.Conditions, err = conditions(q); err != nil {
		return err
	}
	parts := make([]objects.ComposePart, len(in.SourceObjects))
	for i, s := range in.SourceObjects {
		parts[i] = objects.ComposePart{Name: s.Name, Generation: int64(s.Generation)}
		parts[i].Conditions.GenerationMatch = (*int64)(s.Preconditions.GenerationMatch)
	}
	o, err := h.objects.Compose(r.Context(), n, parts, in.DeleteSourceObjects)
	if err != nil {
		return err
	}
	return h.replyObject(w, r, o)
}
