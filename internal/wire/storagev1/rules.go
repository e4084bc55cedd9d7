package storagev1

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
)

// whole is an int64, which clients send as a number or as a string, as the API
// writes it.
type whole int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *whole) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" {
		return nil
	}
	if unquoted, err := strconv.Unquote(s); err == nil {
		s = unquoted
	}
	v, err := strconv.ParseInt(s, 10, 64)
	*n = whole(v)
	return err
}

// MarshalJSON implements json.Marshaler.
func (n whole) MarshalJSON() ([]byte, error) { return json.Marshal(strconv.FormatInt(int64(n), 10)) }

// seconds is a number that clients send as a string, too, and are given as one.
type seconds int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *seconds) UnmarshalJSON(b []byte) error { return (*whole)(n).UnmarshalJSON(b) }

// rulesDocument is what of a bucket's resource decides over its objects.
type rulesDocument struct {
	StorageClass string             `json:"storageClass,omitempty"`
	Versioning   *versioning        `json:"versioning,omitempty"`
	SoftDelete   *softDelete        `json:"softDeletePolicy,omitempty"`
	Retention    *retention         `json:"retentionPolicy,omitempty"`
	HoldNew      bool               `json:"defaultEventBasedHold,omitempty"`
	MayRetain    *objectRetention   `json:"objectRetention,omitempty"`
	Lifecycle    *lifecycle         `json:"lifecycle,omitempty"`
	IAM          *iamConfiguration  `json:"iamConfiguration,omitempty"`
	Labels       map[string]*string `json:"labels,omitempty"`
	Encryption   *encryption        `json:"encryption,omitempty"`
	Hierarchical *enabled           `json:"hierarchicalNamespace,omitempty"`
	Autoclass    *enabled           `json:"autoclass,omitempty"`
	CORS         []cors             `json:"cors,omitempty"`
	Website      *website           `json:"website,omitempty"`
	Logging      *logging           `json:"logging,omitempty"`
}

type (
	versioning struct {
		Enabled bool `json:"enabled"`
	}
	enabled struct {
		Enabled bool `json:"enabled"`
	}
	softDelete struct {
		Seconds whole      `json:"retentionDurationSeconds"`
		Since   *time.Time `json:"effectiveTime,omitempty"`
	}
	retention struct {
		Seconds whole     `json:"retentionPeriod"`
		Since   time.Time `json:"effectiveTime,omitzero"`
		Locked  bool      `json:"isLocked,omitempty"`
	}
	objectRetention struct {
		Mode string `json:"mode"` // Enabled
	}
	encryption struct {
		Key string `json:"defaultKmsKeyName"`
	}
	cors struct {
		Origin         []string `json:"origin,omitempty"`
		Method         []string `json:"method,omitempty"`
		ResponseHeader []string `json:"responseHeader,omitempty"`
		MaxAge         *seconds `json:"maxAgeSeconds,omitempty"`
	}
	website struct{ MainPageSuffix, NotFoundPage string }
	logging struct{ LogBucket, LogObjectPrefix string }
)

type iamConfiguration struct {
	Uniform    uniformAccess `json:"uniformBucketLevelAccess"`
	Old        uniformAccess `json:"bucketPolicyOnly"`
	Prevention string        `json:"publicAccessPrevention"`
}

type uniformAccess struct {
	Enabled    bool       `json:"enabled"`
	LockedTime *time.Time `json:"lockedTime,omitempty"`
}

// ruleFields are the fields of a bucket that are kept as objects.Rules and not in
// its document.
func ruleFields() []string {
	return []string{"storageClass", "versioning", "softDeletePolicy", "retentionPolicy", "defaultEventBasedHold", "objectRetention",
		"lifecycle", "iamConfiguration"}
}

// uniformLock is after how long uniform access stays, as Google says it.
const uniformLock = 90 * 24 * time.Hour

// shown is a time to the millisecond, as Google gives it: gcloud warns of more.
func shown(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

// showRules is the inverse of readRules.
func showRules(b *objects.Bucket, prevention string) rulesDocument {
	r := b.Rules
	d := rulesDocument{StorageClass: r.StorageClass, HoldNew: r.HoldNew, Lifecycle: showLifecycle(r.Lifecycle),
		SoftDelete: &softDelete{Seconds: whole(r.SoftDelete.Keep / time.Second)},
		IAM:        &iamConfiguration{Uniform: uniformAccess{Enabled: r.Uniform}, Prevention: "inherited"}}
	if prevention != "" {
		d.IAM.Prevention = prevention
	}
	if r.Uniform {
		locked := shown(b.CreateTime.Add(uniformLock))
		d.IAM.Uniform.LockedTime = &locked
	}
	d.IAM.Old = d.IAM.Uniform
	if d.StorageClass == "" {
		d.StorageClass = "STANDARD"
	}
	if r.Versioning {
		d.Versioning = &versioning{Enabled: true}
	}
	if !r.SoftDelete.Since.IsZero() {
		since := shown(r.SoftDelete.Since)
		d.SoftDelete.Since = &since
	}
	if r.Retention != nil {
		d.Retention = &retention{Seconds: whole(r.Retention.Period / time.Second), Since: shown(r.Retention.Since), Locked: r.Retention.Locked}
	}
	if r.MayRetain {
		d.MayRetain = &objectRetention{Mode: "Enabled"}
	}
	return d
}

// The bounds of retention (cloud.google.com/storage/docs/bucket-lock,
// …/soft-delete).
const (
	maxRetention  = 3_155_760_000 // seconds: 100 years
	minSoftDelete = 7 * 86400
	maxSoftDelete = 90 * 86400
)

// readRules takes what a resource says over into a bucket's rules. The have of
// before decides what may change.
func readRules(f fields, have objects.Rules, now time.Time) (objects.Rules, error) {
	var d rulesDocument
	if err := f.into(&d); err != nil {
		return have, err
	}
	if err := d.check(); err != nil {
		return have, err
	}
	r := objects.Rules{StorageClass: d.StorageClass, HoldNew: d.HoldNew, MayRetain: have.MayRetain, SoftDelete: have.SoftDelete}
	if r.StorageClass == "STANDARD" {
		r.StorageClass = ""
	}
	if d.Versioning != nil {
		r.Versioning = d.Versioning.Enabled
	}
	if d.IAM != nil {
		r.Uniform = d.IAM.Uniform.Enabled || d.IAM.Old.Enabled && !have.Uniform
	}
	if d.SoftDelete != nil {
		if keep := time.Duration(d.SoftDelete.Seconds) * time.Second; keep != have.SoftDelete.Keep {
			r.SoftDelete = objects.SoftDelete{Keep: keep, Since: now}
		}
	}
	var err error
	if r.Retention, err = d.Retention.read(have.Retention, now); err != nil {
		return have, err
	}
	r.Lifecycle, err = d.Lifecycle.read()
	return r, err
}

func (d *retention) read(have *objects.BucketRetention, now time.Time) (*objects.BucketRetention, error) {
	locked := have != nil && have.Locked
	if d == nil {
		if locked {
			return nil, retentionLocked()
		}
		return nil, nil
	}
	if d.Seconds < 1 || d.Seconds > maxRetention {
		return nil, sunya.Invalid("retentionPolicy.retentionPeriod", "%d: between 1 and %d seconds", d.Seconds, maxRetention)
	}
	next := &objects.BucketRetention{Period: time.Duration(min(d.Seconds, 9_000_000_000)) * time.Second, Since: now, Locked: locked}
	if have != nil {
		if locked && next.Period < have.Period {
			return nil, retentionLocked()
		}
		next.Since = have.Since
	}
	return next, nil
}

func retentionLocked() error {
	return &sunya.Error{Code: sunya.PermissionDenied, Field: "retentionPolicy", Reason: objects.ReasonRetained,
		Message: "it is locked: it can only be made longer"}
}

// check refuses what this server does not have and what is not well formed.
func (d *rulesDocument) check() error {
	unsupported := func(field, why string) error {
		return &sunya.Error{Code: sunya.Unimplemented, Field: field, Message: why}
	}
	switch {
	case d.Encryption != nil && d.Encryption.Key != "":
		return unsupported("encryption.defaultKmsKeyName", "keys of Cloud KMS are not implemented: leave it out")
	case d.Hierarchical != nil && d.Hierarchical.Enabled:
		return unsupported("hierarchicalNamespace", "folders apart from names are not implemented: leave it out")
	case d.Autoclass != nil && d.Autoclass.Enabled:
		return unsupported("autoclass", "not implemented: every storage class is kept alike")
	case d.SoftDelete != nil && d.SoftDelete.Seconds != 0 && (d.SoftDelete.Seconds < minSoftDelete || d.SoftDelete.Seconds > maxSoftDelete):
		return sunya.Invalid("softDeletePolicy.retentionDurationSeconds", "%d: 0, or between %d and %d", d.SoftDelete.Seconds, minSoftDelete, maxSoftDelete)
	case d.IAM != nil && d.IAM.Prevention != "" && d.IAM.Prevention != "inherited" && d.IAM.Prevention != "unspecified" && d.IAM.Prevention != "enforced":
		return sunya.Invalid("iamConfiguration.publicAccessPrevention", "%q: use inherited or enforced", d.IAM.Prevention)
	}
	for _, c := range d.CORS {
		if c.MaxAge != nil && *c.MaxAge < 0 {
			return sunya.Invalid("cors.maxAgeSeconds", "%d: 0 or more", *c.MaxAge)
		}
	}
	return checkLabels(d.Labels)
}

const (
	maxLabels = 64
	maxLabel  = 63
)

func checkLabels(labels map[string]*string) error {
	if len(labels) > maxLabels {
		return sunya.Invalid("labels", "%d of them: at most %d", len(labels), maxLabels)
	}
	for k, v := range labels {
		if k == "" || len([]rune(k)) > maxLabel || !labelChars(k) {
			return sunya.Invalid("labels", "%q: a key has 1 to %d lower-case letters, digits, _ and -", k, maxLabel)
		}
		if v != nil && (len([]rune(*v)) > maxLabel || !labelChars(*v)) {
			return sunya.Invalid("labels", "%q of %s: a value has at most %d lower-case letters, digits, _ and -", *v, k, maxLabel)
		}
	}
	return nil
}

func labelChars(s string) bool {
	for _, r := range s {
		ok := r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 0x80
		if !ok {
			return false
		}
	}
	return true
}
