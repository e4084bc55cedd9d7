package cli

import (
	"encoding/csv"
	"fmt"
	"strings"
)

// splitList reads a list as gcloud does: items between commas, or between what
// stands between two carets in front (gcloud topic escaping): ^;^a,b;c is "a,b"
// and "c". Quotes keep a comma inside an item. An empty text is an empty list.
func splitList(s string) ([]string, error) {
	if s == "" {
		return nil, nil
	}
	if rest, ok := strings.CutPrefix(s, "^"); ok {
		separator, items, ok := strings.Cut(rest, "^")
		if !ok || separator == "" {
			return nil, fmt.Errorf("%q begins with a separator that does not end: use ^;^a,b;c", s)
		}
		return strings.Split(items, separator), nil
	}
	if !strings.HasPrefix(s, `"`) && !strings.Contains(s, `,"`) {
		return strings.Split(s, ","), nil
	}
	r := csv.NewReader(strings.NewReader(s))
	items, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%q has quotes that do not match: choose another separator, as in ^;^a,b;c", s)
	}
	return items, nil
}

// splitPairs reads NAME=VALUE,… in the form of splitList. A later pair of the
// same name counts.
func splitPairs(s string) (map[string]string, error) {
	items, err := splitList(s)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(items))
	for _, item := range items {
		name, value, ok := strings.Cut(item, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not of the form NAME=VALUE; a value with commas needs another separator, as in ^;^A=1,2;B=3", item)
		}
		out[name] = value
	}
	return out, nil
}
