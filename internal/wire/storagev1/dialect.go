package storagev1

import (
	"encoding/json"
	"time"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// Model is what the XML API needs of resources, which it shows and takes in
// another dialect: the rules are the JSON API's.
type Model struct{}

// BucketFields is all that clients may set of a bucket, by the keys of its
// resource.
func (Model) BucketFields(b *objects.Bucket) (map[string]json.RawMessage, error) {
	return bucketFields(b)
}

// PatchBucket changes what clients may set of a bucket, as buckets.patch does.
func (Model) PatchBucket(b *objects.Bucket, patch map[string]json.RawMessage, now time.Time) error {
	f, err := bucketFields(b)
	if err != nil {
		return err
	}
	if err := f.merge(patch); err != nil {
		return err
	}
	return setBucket(b, f, now)
}

// BucketGrants reads one of a bucket's lists: its own, or the one for its objects.
func (Model) BucketGrants(b *objects.Bucket, ofObjects bool) ([]grant, error) {
	field := aclField
	if ofObjects {
		field = defaultACLField
	}
	return grantsOf(b, b.Document, field)
}

// SetBucketGrants replaces it.
func (Model) SetBucketGrants(b *objects.Bucket, ofObjects bool, list []grant) error {
	if ofObjects {
		return setGrants(b, &b.Document, defaultACLField, false, list)
	}
	return setGrants(b, &b.Document, aclField, true, list)
}

// ObjectGrants reads the list of an object of b.
func (Model) ObjectGrants(b *objects.Bucket, o *objects.Object) ([]grant, error) {
	return grantsOf(b, o.Document, aclField)
}

// SetObjectGrants replaces it.
func (Model) SetObjectGrants(b *objects.Bucket, o *objects.Object, list []grant) error {
	return setGrants(b, &o.Document, aclField, false, list)
}

// Predefined is the list that has this name in a project (JSON API: publicRead).
func (Model) Predefined(name, project string) ([]grant, error) {
	return predefined("acl", name, project)
}

func grantsOf(b *objects.Bucket, document []byte, field string) ([]grant, error) {
	if b.Rules.Uniform {
		return nil, uniform("get", b.Name)
	}
	doc, err := decodeFields(document)
	if err != nil {
		return nil, err
	}
	return grants(doc, field, projectPrivate(b.Project))
}

func setGrants(b *objects.Bucket, document *[]byte, field string, writers bool, list []grant) error {
	if b.Rules.Uniform {
		return uniform("use", b.Name)
	}
	for _, g := range list {
		if err := checkGrant(g, writers); err != nil {
			return err
		}
	}
	doc, err := decodeFields(*document)
	if err != nil {
		return err
	}
	if err := doc.set(field, list); err != nil {
		return err
	}
	*document, err = doc.encode()
	return err
}
