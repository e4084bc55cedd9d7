package storagev1

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/core/objects"
	"github.com/sunya-cloud/sunya/internal/wire/media"
)

// maxDocument is the largest JSON body that is read.
const maxDocument = 1 << 20

// number reads an optional int64 parameter; nil when it is not there.
func number(q url.Values, name string) (*int64, error) {
	s := q.Get(name)
	if s == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return nil, sunya.Invalid(name, "%q is not a number of 0 or more", s)
	}
	return &n, nil
}

// conditions reads the preconditions in a query.
func conditions(q url.Values) (objects.Conditions, error) {
	var c objects.Conditions
	var errs [4]error
	c.GenerationMatch, errs[0] = number(q, "ifGenerationMatch")
	c.GenerationNotMatch, errs[1] = number(q, "ifGenerationNotMatch")
	c.MetagenerationMatch, errs[2] = number(q, "ifMetagenerationMatch")
	c.MetagenerationNotMatch, errs[3] = number(q, "ifMetagenerationNotMatch")
	return c, first(errs[:])
}

// generation reads the generation that a request means; 0 is the live one.
func generation(q url.Values) (int64, error) {
	n, err := number(q, "generation")
	if n == nil {
		return 0, err
	}
	return *n, nil
}

// which is what most requests about one object say.
func which(q url.Values) (int64, objects.Conditions, error) {
	gen, err := generation(q)
	if err != nil {
		return 0, objects.Conditions{}, err
	}
	cond, err := conditions(q)
	return gen, cond, err
}

func first(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// flag reads an optional boolean, which some clients write True.
func flag(q url.Values, name string) bool { return strings.EqualFold(q.Get(name), "true") }

// refuse names the first parameter that would change the answer in a way that
// this server does not know.
func refuse(q url.Values, names ...string) error {
	for _, name := range names {
		if v := q.Get(name); v != "" && !strings.EqualFold(v, "false") {
			return sunya.Errorf(sunya.Unimplemented, "", "the parameter %s is not implemented: leave it out", name)
		}
	}
	return nil
}

// document reads a JSON object of at most maxDocument bytes; an empty body is
// an empty object.
func document(r io.Reader) (fields, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, media.Broken(err)
	}
	if len(data) > maxDocument {
		return nil, sunya.Invalid("", "the JSON body is larger than %v", sunya.Bytes(maxDocument))
	}
	if len(data) == 0 {
		return fields{}, nil
	}
	if string(bytes.TrimSpace(data)) == "null" {
		return fields{}, nil
	}
	var f fields
	if err := json.Unmarshal(data, &f); err != nil || f == nil {
		return nil, sunya.Invalid("", "the body is not a JSON object: %v", err)
	}
	return f, nil
}
