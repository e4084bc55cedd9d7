package pubsub

import (
	"regexp"
	"strings"

	"github.com/sunya-cloud/sunya"
)

// The collections of a project.
const (
	Topics        = "topics"
	Subscriptions = "subscriptions"
	Snapshots     = "snapshots"
	Schemas       = "schemas"
)

// DeletedTopic is what a subscription shows for a topic that was deleted
// (google.pubsub.v1.Subscription.topic).
const DeletedTopic = "_deleted-topic_"

var idRE = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$`)

// ParseName reads projects/P/COLLECTION/ID; field is what an error names.
func ParseName(field, collection, name string) (project string, err error) {
	parts := strings.Split(name, "/")
	if len(parts) != 4 || parts[0] != "projects" || parts[2] != collection {
		return "", sunya.Invalid(field, "%q is not a name of the form projects/*/%s/*", name, collection)
	}
	return parts[1], sunya.CheckProject(parts[1])
}

// CheckName is ParseName for what is to be created
// (google.pubsub.v1.Topic.name).
func CheckName(collection, name string) (project string, err error) {
	project, err = ParseName("name", collection, name)
	if err != nil {
		return "", err
	}
	id := name[strings.LastIndexByte(name, '/')+1:]
	if !idRE.MatchString(id) || strings.HasPrefix(id, "goog") {
		return "", sunya.Invalid("name", "%q cannot be an id: use 3 to 255 letters, digits and any of -._~+%%, beginning with a letter and not with goog", id)
	}
	return project, nil
}
