package signature

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Policy is what a form may do (cloud.google.com/storage/docs/authentication/signatures#policy-document).
type Policy struct {
	Signer     string
	Min, Max   int64 // bytes of the file; Max below 0: no limit
	conditions []condition
}

// condition is about one field of the form.
type condition struct {
	field, value string
	prefix       bool // starts-with, not eq
}

// maxPolicy is the largest policy document that is read, encoded.
const maxPolicy = 64 << 10

// VerifyForm checks the policy of a form and its signature. Names of fields are
// in lower case. It says nothing yet of the other fields: see Policy.Allows.
func VerifyForm(ctx context.Context, form map[string]string, keys Keys, now time.Time) (*Policy, error) {
	encoded := form["policy"]
	if encoded == "" {
		return nil, refuse("AccessDenied", "a form needs a policy and its signature")
	}
	if len(encoded) > maxPolicy {
		return nil, refuse("InvalidPolicyDocument", "the policy is larger than %d bytes", maxPolicy)
	}
	v := &verifier{keys: keys, now: now}
	signer, err := v.formSigner(ctx, form, encoded)
	if err != nil {
		return nil, err
	}
	doc, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, refuse("InvalidPolicyDocument", "the policy is not base64")
	}
	p, end, err := parsePolicy(doc)
	if err != nil {
		return nil, err
	}
	if now.After(end) {
		return nil, refuse("ExpiredToken", "the policy expired at %s", end.UTC().Format(time.RFC3339))
	}
	p.Signer = signer
	return p, nil
}

// formSigner checks the signature of an encoded policy, V4 or V2.
func (v *verifier) formSigner(ctx context.Context, form map[string]string, encoded string) (string, error) {
	for _, d := range []dialect{googleV4, amazonV4} {
		prefix := strings.ToLower(d.prefix)
		if form[prefix+"signature"] == "" {
			continue
		}
		c := claim{dialect: d, algorithm: form[prefix+"algorithm"], stamp: form[prefix+"date"]}
		var err error
		if c.credential, err = d.credential(form[prefix+"credential"]); err != nil {
			return "", err
		}
		if _, err = c.made(); err != nil {
			return "", err
		}
		if c.signature, err = hex.DecodeString(form[prefix+"signature"]); err != nil {
			return "", refuse("InvalidArgument", "%ssignature is not hexadecimal", prefix)
		}
		good, err := v.key(ctx, &c)
		if err != nil {
			return "", err
		}
		return c.id, formMatches(good, encoded)
	}
	id := form["googleaccessid"]
	if id == "" {
		id = form["awsaccesskeyid"]
	}
	if form["signature"] == "" || id == "" {
		return "", refuse("AccessDenied", "the policy is not signed")
	}
	raw, err := base64.StdEncoding.DecodeString(form["signature"])
	if err != nil {
		return "", refuse("InvalidArgument", "the signature is not base64")
	}
	good, err := v.keyV2(ctx, id, raw)
	if err != nil {
		return "", err
	}
	return id, formMatches(good, encoded)
}

func formMatches(good func(string) bool, encoded string) error {
	if good(encoded) {
		return nil
	}
	return refused(&Error{Code: "SignatureDoesNotMatch", ToSign: encoded}, "the signature is not that of the policy")
}

// parsePolicy reads a policy document.
func parsePolicy(doc []byte) (*Policy, time.Time, error) {
	var raw struct {
		Expiration string            `json:"expiration"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal(doc, &raw); err != nil {
		return nil, time.Time{}, refuse("InvalidPolicyDocument", "the policy is not JSON: %v", err)
	}
	end, err := time.Parse(time.RFC3339, raw.Expiration)
	if err != nil {
		return nil, end, refuse("InvalidPolicyDocument", "expiration is %.60q, not a time in RFC 3339", raw.Expiration)
	}
	p := &Policy{Max: -1}
	for _, c := range raw.Conditions {
		if err := p.add(c); err != nil {
			return nil, end, err
		}
	}
	return p, end, nil
}

// add reads one condition: {"field": "value"}, ["eq"|"starts-with", "$field",
// "value"] or ["content-length-range", min, max].
func (p *Policy) add(raw json.RawMessage) error {
	bad := refuse("InvalidPolicyDocument", "the condition %.200s is not one that is known", raw)
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		var exact map[string]json.RawMessage
		if json.Unmarshal(raw, &exact) != nil {
			return bad
		}
		for field, value := range exact {
			s, ok := text(value)
			if !ok {
				return bad
			}
			p.conditions = append(p.conditions, condition{field: strings.ToLower(field), value: s})
		}
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return bad
	}
	op, ok := text(list[0])
	a, ok2 := text(list[1])
	b, ok3 := text(list[2])
	if !ok || !ok2 || !ok3 {
		return bad
	}
	switch op {
	case "content-length-range":
		least, err := strconv.ParseInt(a, 10, 64)
		most, err2 := strconv.ParseInt(b, 10, 64)
		if err != nil || err2 != nil || least < 0 || most < least {
			return bad
		}
		p.Min = max(p.Min, least)
		if p.Max < 0 || most < p.Max {
			p.Max = most
		}
		return nil
	case "eq", "starts-with":
		if !strings.HasPrefix(a, "$") {
			return bad
		}
		p.conditions = append(p.conditions, condition{field: strings.ToLower(a[1:]), value: b, prefix: op == "starts-with"})
		return nil
	}
	return bad
}

// text is a string, or a number as it was written.
func text(raw json.RawMessage) (string, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String(), true
	}
	return "", false
}

// Allows checks the fields of a form, with bucket among them, against the
// conditions: each has to hold, and every field needs one.
func (p *Policy) Allows(form map[string]string) error {
	named := map[string]bool{}
	for _, c := range p.conditions {
		named[c.field] = true
		got := form[c.field]
		if got == c.value || c.prefix && startsWith(c.field, got, c.value) {
			continue
		}
		op := "to be"
		if c.prefix {
			op = "to begin with"
		}
		return refuse("AccessDenied", "the policy wants %s %s %.100q: it is %.100q", c.field, op, c.value, got)
	}
	for field := range form {
		switch field {
		case "policy", "x-goog-signature", "x-amz-signature", "signature", "googleaccessid", "awsaccesskeyid", "file", "bucket":
			continue
		}
		if !named[field] && !strings.HasPrefix(field, "x-ignore-") {
			return refuse("AccessDenied", "the policy has no condition for the field %.100q", field)
		}
	}
	return nil
}

// startsWith holds of every part of a content type that names several.
func startsWith(field, got, prefix string) bool {
	if field != "content-type" {
		return strings.HasPrefix(got, prefix)
	}
	for part := range strings.SplitSeq(got, ",") {
		if !strings.HasPrefix(strings.TrimSpace(part), prefix) {
			return false
		}
	}
	return true
}
