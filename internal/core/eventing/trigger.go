package eventing

import (
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/iam"
)

// Key names a trigger.
type Key struct {
	Project  string
	Location string
	ID       string
}

// Name returns the resource name.
func (k Key) Name() string { return sunya.LocationName(k.Project, k.Location) + "/triggers/" + k.ID }

// ParseName reads projects/P/locations/L/triggers/T; field is what an error
// names.
func ParseName(field, name string) (Key, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 6 || parts[0] != "projects" || parts[2] != "locations" || parts[4] != "triggers" {
		return Key{}, sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/triggers/*", name)
	}
	return Key{Project: parts[1], Location: parts[3], ID: parts[5]}, nil
}

var idRE = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Check reports whether a trigger can have this name.
func (k Key) Check() error {
	if err := sunya.CheckLocation(k.Project, k.Location); err != nil {
		return err
	}
	if !idRE.MatchString(k.ID) {
		return sunya.Invalid("trigger_id", "%q is not the name of a trigger: use 1 to 63 lower-case letters, digits and dashes, beginning with a letter", k.ID)
	}
	return nil
}

// Trigger is one trigger: what was asked for, and what was made for it.
type Trigger struct {
	Key
	Spec

	UID          string
	Subscription string // projects/P/subscriptions/S
	// OwnTopic says that the topic was made for the trigger, and goes with it.
	OwnTopic   bool  `json:",omitempty"`
	State      State // of the making, not of what is delivered
	CreateTime time.Time
	UpdateTime time.Time
	Policy     iam.Policy `json:",omitzero"` // stored and given back
}

// State says how far a trigger is made; a restart goes on with what it finds.
type State string

// The states.
const (
	Making   State = "MAKING"
	Active   State = "ACTIVE"
	Deleting State = "DELETING"
)

// Spec is what the owner of a trigger says about it.
type Spec struct {
	Filters     []Filter // one of them for "type"
	Destination Destination
	Account     string // that deliveries are signed as; the project's compute account if empty
	// Topic is the transport's. One that is given stays when the trigger goes.
	Topic string
	// MakeTopic says that a topic which was given is made where it does not
	// exist, as functions want it.
	MakeTopic bool `json:",omitempty"`

	Form Form
	// LegacyType and LegacyService are, of Background, what the event and its
	// source are called.
	LegacyType    string `json:",omitempty"`
	LegacyService string `json:",omitempty"`
	// Retry says that what fails comes again, until MaxAge; else it is dropped.
	Retry  bool
	MaxAge time.Duration // since the event was published; 24 h if zero

	Labels map[string]string `json:",omitempty"`
	// Owner is the function that the trigger belongs to, and goes with.
	Owner string `json:",omitempty"`
	// Document is the API's own JSON of what was sent.
	Document []byte `json:",omitempty"`
}

// Destination is where events go: one of Function and Service.
type Destination struct {
	Function string `json:",omitempty"` // projects/P/locations/L/functions/F
	Service  string `json:",omitempty"` // projects/P/locations/L/services/S
	Path     string `json:",omitempty"` // of the service
}

// ServiceName is the name in the serving core.
func (d Destination) ServiceName() string {
	if d.Function != "" {
		return strings.Replace(d.Function, "/functions/", "/services/", 1)
	}
	return d.Service
}

// under is the address of the destination below that of its service.
func (d Destination) under(url string) string {
	if d.Path == "" {
		return url
	}
	return url + "/" + strings.TrimPrefix(d.Path, "/")
}

// check reports whether a trigger of a project can have the destination, which
// need not exist yet.
func (d Destination) check(project string) error {
	const field = "destination"
	if (d.Function == "") == (d.Service == "") {
		return sunya.Invalid(field, "name a Cloud Run service or a function")
	}
	name, collection := d.Service, "services"
	if d.Function != "" {
		name, collection = d.Function, "functions"
	}
	parts := strings.Split(name, "/")
	if len(parts) != 6 || parts[0] != "projects" || parts[2] != "locations" || parts[4] != collection || parts[5] == "" {
		return sunya.Invalid(field, "%q is not a name of the form projects/*/locations/*/%s/*", name, collection)
	}
	if parts[1] != project {
		return sunya.Invalid(field, "%s is of another project than the trigger: %s", name, project)
	}
	return nil
}

// Form is what the requests look like.
type Form string

// The forms.
const (
	CloudEvent Form = "CLOUD_EVENT" // binary mode
	Background Form = "BACKGROUND"  // of the first generation
)

// The age at which an event is given up (Eventarc; Cloud Functions).
const (
	DefaultAge = 24 * time.Hour
	FirstAge   = 7 * 24 * time.Hour // of functions of the first generation
)

// Type is the type of the events, as CloudEvents have it.
func (s *Spec) Type() string { return s.Filter(typeAttribute) }

// Filter is the value that an attribute must have; empty: any.
func (s *Spec) Filter(attribute string) string {
	for _, f := range s.Filters {
		if f.Attribute == attribute {
			return f.Value
		}
	}
	return ""
}

// number is three digits that go into the names of what is made for a trigger.
func number(uid string) string {
	return fmt.Sprintf("%03d", crc32.ChecksumIEEE([]byte(uid))%1000)
}

// transport names topic and subscription as Eventarc does.
func (t *Trigger) transport() (topic, subscription string) {
	base := "projects/" + t.Project + "/%s/eventarc-" + t.Location + "-" + t.ID
	return fmt.Sprintf(base, "topics") + "-" + number(t.UID), fmt.Sprintf(base, "subscriptions") + "-sub-" + number(t.UID)
}
