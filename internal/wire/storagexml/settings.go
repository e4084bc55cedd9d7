package storagexml

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// setting is a part of a bucket's settings as a document of XML. What it means,
// and what of it is allowed, is the JSON API's matter.
type setting interface {
	// show takes the setting out of a bucket's resource.
	show(b *objects.Bucket, resource map[string]json.RawMessage) error
	// field is the resource's field and its value; nil takes it away.
	field() (name string, value any, err error)
}

// settingOf is an empty document of the setting that a parameter names; nil if
// none has that name.
func settingOf(name string) setting {
	switch name {
	case "versioning":
		return &versioningConfiguration{}
	case "cors":
		return &corsConfig{}
	case "lifecycle":
		return &lifecycleConfiguration{}
	case "logging":
		return &loggingConfiguration{}
	case "website", "websiteConfig":
		return &websiteConfiguration{}
	case "storageClass":
		return &storageClass{}
	case "tagging":
		return &tagging{}
	}
	return nil
}

// setting is what may be done with a part of a bucket's settings.
func (h *handler) setting(name string) map[string]endpoint {
	if settingOf(name) != nil {
		return map[string]endpoint{
			"GET": func(w http.ResponseWriter, r *http.Request, t target) error {
				return h.showSetting(w, r, t, settingOf(name))
			},
			"PUT": func(w http.ResponseWriter, r *http.Request, t target) error {
				return h.putSetting(w, r, t, settingOf(name))
			},
			"DELETE": func(w http.ResponseWriter, r *http.Request, t target) error {
				return h.resetSetting(w, r, t, settingOf(name))
			},
		}
	}
	fixed := map[string]any{
		"billing":          requesterPays{Pays: "Disabled"},
		"encryptionConfig": text{XMLName: xml.Name{Local: "EncryptionConfiguration"}},
	}
	switch doc, ok := fixed[name]; {
	case ok:
		return map[string]endpoint{"GET": func(w http.ResponseWriter, r *http.Request, t target) error {
			return h.showBucket(w, r, t, func(*objects.Bucket) (any, error) { return doc, nil })
		}}
	case name == "location":
		return map[string]endpoint{"GET": func(w http.ResponseWriter, r *http.Request, t target) error {
			return h.showBucket(w, r, t, func(b *objects.Bucket) (any, error) {
				return text{xml.Name{Local: "LocationConstraint"}, strings.ToUpper(b.Location)}, nil
			})
		}}
	}
	return nil
}

// showBucket answers with what show makes of the bucket.
func (h *handler) showBucket(w http.ResponseWriter, r *http.Request, t target, show func(*objects.Bucket) (any, error)) error {
	b, err := h.Objects.GetBucket(r.Context(), t.bucket, objects.Conditions{})
	if err != nil {
		return err
	}
	doc, err := show(b)
	if err != nil {
		return err
	}
	return reply(w, r, http.StatusOK, doc)
}

func (h *handler) showSetting(w http.ResponseWriter, r *http.Request, t target, s setting) error {
	return h.showBucket(w, r, t, func(b *objects.Bucket) (any, error) {
		resource, err := h.Model.BucketFields(b)
		if err == nil {
			err = s.show(b, resource)
		}
		return s, err
	})
}

func (h *handler) putSetting(w http.ResponseWriter, r *http.Request, t target, s setting) error {
	if err := decode(r, s); err != nil {
		return err
	}
	name, value, err := s.field()
	if err != nil {
		return err
	}
	return h.patch(w, r, t, http.StatusOK, name, value)
}

func (h *handler) resetSetting(w http.ResponseWriter, r *http.Request, t target, s setting) error {
	name, _, err := s.field()
	if err != nil {
		return err
	}
	return h.patch(w, r, t, http.StatusNoContent, name, nil)
}

// patch sets a field of a bucket's resource.
func (h *handler) patch(w http.ResponseWriter, r *http.Request, t target, status int, field string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return sunya.Errorf(sunya.Internal, t.bucket, "encode %s: %v", field, err)
	}
	return h.updateBucket(w, r, t, status, func(b *objects.Bucket) error {
		if field == "labels" { // whose document is all of them
			if err := h.Model.PatchBucket(b, map[string]json.RawMessage{field: json.RawMessage("null")}, time.Now()); err != nil {
				return err
			}
		}
		return h.Model.PatchBucket(b, map[string]json.RawMessage{field: raw}, time.Now())
	})
}

// updateBucket changes a bucket and answers without a body.
func (h *handler) updateBucket(w http.ResponseWriter, r *http.Request, t target, status int, change func(*objects.Bucket) error) error {
	cond, err := conditions(r.Header)
	if err != nil {
		return err
	}
	if _, err := h.Objects.UpdateBucket(r.Context(), t.bucket, cond, change); err != nil {
		return err
	}
	w.WriteHeader(status)
	return nil
}

// into reads a field of a resource; nothing where there is none.
func into(resource map[string]json.RawMessage, field string, to any) error {
	raw, ok := resource[field]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(raw, to); err != nil {
		return sunya.Errorf(sunya.DataLoss, "", "a stored document is damaged: %s: %v", field, err)
	}
	return nil
}

type text struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

type requesterPays struct {
	XMLName xml.Name `xml:"BillingConfiguration"`
	Pays    string   `xml:"RequesterPays"`
}

type versioningConfiguration struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Status  string   `xml:"Status,omitempty"`
}

func (v *versioningConfiguration) show(b *objects.Bucket, _ map[string]json.RawMessage) error {
	v.Status = "Suspended"
	if b.Rules.Versioning {
		v.Status = "Enabled"
	}
	return nil
}

func (v *versioningConfiguration) field() (string, any, error) {
	switch v.Status {
	case "Enabled", "Suspended":
		return "versioning", map[string]bool{"enabled": v.Status == "Enabled"}, nil
	case "":
		return "versioning", nil, nil
	}
	return "", nil, malformed(fmt.Sprintf("Status is %q: use Enabled or Suspended", v.Status))
}

type corsConfig struct {
	XMLName xml.Name   `xml:"CorsConfig"`
	Cors    []corsRule `xml:"Cors"`
}

func (c *corsConfig) show(_ *objects.Bucket, resource map[string]json.RawMessage) error {
	return into(resource, "cors", &c.Cors)
}

func (c *corsConfig) field() (string, any, error) { return "cors", c.Cors, nil }

type loggingConfiguration struct {
	XMLName xml.Name `xml:"Logging" json:"-"`
	Bucket  string   `xml:"LogBucket,omitempty" json:"logBucket,omitempty"`
	Prefix  string   `xml:"LogObjectPrefix,omitempty" json:"logObjectPrefix,omitempty"`
}

func (l *loggingConfiguration) show(_ *objects.Bucket, resource map[string]json.RawMessage) error {
	return into(resource, "logging", l)
}

func (l *loggingConfiguration) field() (string, any, error) {
	if l.Bucket == "" {
		return "logging", nil, nil
	}
	return "logging", l, nil
}

type websiteConfiguration struct {
	XMLName  xml.Name `xml:"WebsiteConfiguration" json:"-"`
	Main     string   `xml:"MainPageSuffix,omitempty" json:"mainPageSuffix,omitempty"`
	NotFound string   `xml:"NotFoundPage,omitempty" json:"notFoundPage,omitempty"`
}

func (c *websiteConfiguration) show(_ *objects.Bucket, resource map[string]json.RawMessage) error {
	return into(resource, "website", c)
}

func (c *websiteConfiguration) field() (string, any, error) {
	if c.Main == "" && c.NotFound == "" {
		return "website", nil, nil
	}
	return "website", c, nil
}

type storageClass struct {
	XMLName xml.Name `xml:"StorageClass"`
	Value   string   `xml:",chardata"`
}

func (c *storageClass) show(b *objects.Bucket, _ map[string]json.RawMessage) error {
	c.Value = cmp.Or(b.Rules.StorageClass, "STANDARD")
	return nil
}

func (c *storageClass) field() (string, any, error) {
	return "storageClass", strings.ToUpper(strings.TrimSpace(c.Value)), nil
}

// tagging is a bucket's labels.
type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []tag    `xml:"TagSet>Tag"`
}

type tag struct{ Key, Value string }

func (g *tagging) show(_ *objects.Bucket, resource map[string]json.RawMessage) error {
	labels := map[string]string{}
	if err := into(resource, "labels", &labels); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		g.Tags = append(g.Tags, tag{key, labels[key]})
	}
	return nil
}

func (g *tagging) field() (string, any, error) {
	labels := map[string]string{}
	for _, t := range g.Tags {
		labels[t.Key] = t.Value
	}
	return "labels", labels, nil
}
