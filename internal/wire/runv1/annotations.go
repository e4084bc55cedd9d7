package runv1

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/sunya-cloud/sunya"
)

// Prefixes of the annotations that are the system's.
const (
	runPrefix       = "run.googleapis.com/"
	autoscaling     = "autoscaling.knative.dev/"
	servingPrefix   = "serving.knative.dev/"
	locationLabel   = "cloud.googleapis.com/location"
	probeLabel      = runPrefix + "startupProbeType" // its value Default: nobody asked for the startup probe
	serviceLabel    = servingPrefix + "service"
	creatorKey      = servingPrefix + "creator"
	lastModifierKey = servingPrefix + "lastModifier"
)

// annotation is one of the system's that stands for a field of v2's message M.
type annotation[M proto.Message] struct {
	key string
	// read stores a value in the field; nil: only the server says it, and what a
	// client sends back is ignored.
	read func(m M, value string) error
	// show is the value of the field, empty for none; nil: never shown.
	show func(m M) string
}

// annotations are those of one kind of resource.
type annotations[M proto.Message] []annotation[M]

// take moves the system's annotations into m, and returns the user's own. field
// is what the annotations are called in errors. Google rejects those of its own
// namespaces that it does not know, and so does this server.
func (as annotations[M]) take(field string, m M, given map[string]string) (map[string]string, error) {
	var own map[string]string
	for _, key := range slices.Sorted(maps.Keys(given)) {
		i := slices.IndexFunc(as, func(a annotation[M]) bool { return a.key == key })
		switch {
		case i < 0 && (strings.HasPrefix(key, runPrefix) || strings.HasPrefix(key, autoscaling) || strings.HasPrefix(key, servingPrefix)):
			return nil, sunya.Invalid(at(field, key), "is not an annotation that is known here: leave it out")
		case i < 0:
			if own == nil {
				own = map[string]string{}
			}
			own[key] = given[key]
		case as[i].read != nil:
			if err := as[i].read(m, given[key]); err != nil {
				return nil, sunya.InField(at(field, key), err)
			}
		}
	}
	return own, nil
}

// put adds the annotations that m stands for to the user's own.
func (as annotations[M]) put(m M, own map[string]string) map[string]string {
	out := maps.Clone(own)
	for _, a := range as {
		if a.show == nil {
			continue
		}
		if value := a.show(m); value != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[a.key] = value
		}
	}
	return out
}

func at(field, key string) string { return field + "[" + key + "]" }

// text is an annotation whose value is a field's.
func text[M proto.Message](key string, field func(M) *string) annotation[M] {
	return annotation[M]{key,
		func(m M, v string) error { *field(m) = v; return nil },
		func(m M) string { return *field(m) },
	}
}

// flag is an annotation that is true or false, and false when it is not there.
func flag[M proto.Message](key string, field func(M) *bool) annotation[M] {
	return annotation[M]{key,
		func(m M, v string) (err error) { *field(m), err = readBool(v); return err },
		func(m M) string {
			if *field(m) {
				return "true"
			}
			return ""
		},
	}
}

// count is an annotation that is a number, and none when it is 0. get is read
// where set would make the message that holds the field.
func count[M proto.Message](key string, get func(M) int32, set func(M) *int32) annotation[M] {
	return annotation[M]{key,
		func(m M, v string) error {
			n, err := readCount(v)
			if err == nil {
				*set(m) = n
			}
			return err
		},
		func(m M) string {
			if get(m) == 0 {
				return ""
			}
			return strconv.Itoa(int(get(m)))
		},
	}
}

// choice is an annotation with a few values.
func choice[M proto.Message, E comparable](key string, values map[string]E, field func(M) *E) annotation[M] {
	return annotation[M]{key,
		func(m M, v string) error {
			e, ok := values[v]
			if !ok {
				return sunya.Invalid("", "%q is not allowed: use one of %s", v, strings.Join(slices.Sorted(maps.Keys(values)), ", "))
			}
			*field(m) = e
			return nil
		},
		func(m M) string {
			for _, v := range slices.Sorted(maps.Keys(values)) {
				if values[v] == *field(m) {
					return v
				}
			}
			return ""
		},
	}
}

// refused is an annotation for what there is not here.
func refused[M proto.Message](key, because string) annotation[M] {
	return annotation[M]{key: key, read: func(_ M, v string) error {
		if v == "" || v == "false" || v == "{}" || v == "[]" {
			return nil
		}
		return unimplemented("", because)
	}}
}

// output is an annotation that only the server writes.
func output[M proto.Message](key string, show func(M) string) annotation[M] {
	return annotation[M]{key: key, show: show}
}

func readBool(v string) (bool, error) {
	switch strings.ToLower(v) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, sunya.Invalid("", "%q is not allowed: use true or false", v)
}

func readCount(v string) (int32, error) {
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 0 {
		return 0, sunya.Invalid("", "%q is not a number of instances: use 0 or more", v)
	}
	return int32(n), nil
}

// readJSON reads an annotation that is a document.
func readJSON(v string, into any) error {
	if v == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(v), into); err != nil {
		return sunya.Invalid("", "is not JSON of the form that is expected: %v", err)
	}
	return nil
}

// showJSON writes one; n is how much there is to show.
func showJSON(v any, n int) string {
	if n == 0 {
		return ""
	}
	raw, err := json.Marshal(v)
	if err != nil { // texts only
		return fmt.Sprint(v)
	}
	return string(raw)
}
