package storagexml

import (
	"encoding/json"
	"encoding/xml"

	"github.com/sunya-cloud/sunya/internal/core/objects"
)

type lifecycleConfiguration struct {
	XMLName xml.Name        `xml:"LifecycleConfiguration" json:"-"`
	Rules   []lifecycleRule `xml:"Rule" json:"rule"`
}

type lifecycleRule struct {
	Action    lifecycleAction    `json:"action"`
	Condition lifecycleCondition `json:"condition"`
}

// lifecycleAction is an element named after the action; a class stands in it.
type lifecycleAction struct {
	Delete   *struct{} `xml:"Delete" json:"-"`
	Abort    *struct{} `xml:"AbortIncompleteMultipartUpload" json:"-"`
	SetClass *string   `xml:"SetStorageClass" json:"-"`

	Type         string `xml:"-" json:"type"`
	StorageClass string `xml:"-" json:"storageClass,omitempty"`
}

// lifecycleCondition has the JSON API's fields under the XML API's names
// (cloud.google.com/storage/docs/xml-api/put-bucket-lifecycle).
type lifecycleCondition struct {
	Age                     *int64   `xml:"Age" json:"age,omitempty"`
	CreatedBefore           string   `xml:"CreatedBefore,omitempty" json:"createdBefore,omitempty"`
	IsLive                  *bool    `xml:"IsLive" json:"isLive,omitempty"`
	NumNewerVersions        *int64   `xml:"NumberOfNewerVersions" json:"numNewerVersions,omitempty"`
	DaysSinceNoncurrentTime *int64   `xml:"DaysSinceNoncurrentTime" json:"daysSinceNoncurrentTime,omitempty"`
	NoncurrentTimeBefore    string   `xml:"NoncurrentTimeBefore,omitempty" json:"noncurrentTimeBefore,omitempty"`
	DaysSinceCustomTime     *int64   `xml:"DaysSinceCustomTime" json:"daysSinceCustomTime,omitempty"`
	CustomTimeBefore        string   `xml:"CustomTimeBefore,omitempty" json:"customTimeBefore,omitempty"`
	MatchesStorageClass     []string `xml:"MatchesStorageClass" json:"matchesStorageClass,omitempty"`
	MatchesPrefix           []string `xml:"MatchesPrefix" json:"matchesPrefix,omitempty"`
	MatchesSuffix           []string `xml:"MatchesSuffix" json:"matchesSuffix,omitempty"`
}

const (
	deleteAction   = "Delete"
	abortAction    = "AbortIncompleteMultipartUpload"
	setClassAction = "SetStorageClass"
)

func (l *lifecycleConfiguration) show(_ *objects.Bucket, resource map[string]json.RawMessage) error {
	if err := into(resource, "lifecycle", l); err != nil {
		return err
	}
	for i := range l.Rules {
		a := &l.Rules[i].Action
		switch a.Type {
		case deleteAction:
			a.Delete = &struct{}{}
		case abortAction:
			a.Abort = &struct{}{}
		case setClassAction:
			a.SetClass = &a.StorageClass
		}
	}
	return nil
}

func (l *lifecycleConfiguration) field() (string, any, error) {
	for i := range l.Rules {
		a := &l.Rules[i].Action
		switch {
		case a.Delete != nil:
			a.Type = deleteAction
		case a.Abort != nil:
			a.Type = abortAction
		case a.SetClass != nil:
			a.Type, a.StorageClass = setClassAction, *a.SetClass
		default:
			return "", nil, malformed("a rule's Action has none of Delete, SetStorageClass and AbortIncompleteMultipartUpload")
		}
	}
	if len(l.Rules) == 0 {
		return "lifecycle", nil, nil
	}
	return "lifecycle", l, nil
}
