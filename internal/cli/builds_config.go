package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// parseBuildConfig reads cloudbuild.yaml or its form in JSON. A field that the
// format does not have is an error, as with gcloud.
func parseBuildConfig(data []byte) (*cloudbuildpb.Build, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if doc == nil {
		return nil, fmt.Errorf("is empty: a build needs steps")
	}
	texts(doc)
	raw, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("is not a document of names and values: %w", err)
	}
	b := &cloudbuildpb.Build{}
	if err := protojson.Unmarshal(raw, b); err != nil {
		_, why, _ := strings.Cut(strings.ReplaceAll(err.Error(), "\u00a0", " "), ": ")
		return nil, fmt.Errorf("%s", why)
	}
	return b, nil
}

// texts makes texts of what YAML takes for numbers and truth values where the
// format has only texts: arguments, variables, substitutions.
func texts(doc map[string]any) {
	if values, ok := doc["substitutions"].(map[string]any); ok {
		for name, v := range values {
			values[name] = plainText(v)
		}
	}
	steps, _ := doc["steps"].([]any)
	for _, one := range steps {
		step, ok := one.(map[string]any)
		if !ok {
			continue
		}
		for _, field := range []string{"args", "env"} {
			list, _ := step[field].([]any)
			for i, v := range list {
				list[i] = plainText(v)
			}
		}
	}
}

func plainText(v any) any {
	switch v.(type) {
	case int, int64, uint64, float64, bool:
		return fmt.Sprint(v)
	}
	return v
}
