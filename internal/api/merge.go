package api

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// UnmarshalJSON notes that the member is there, and whether it is null.
func (c *change[T]) UnmarshalJSON(text []byte) error {
	c.Given, c.Null = true, bytes.Equal(text, []byte("null"))
	if c.Null {
		return nil
	}
	return json.Unmarshal(text, &c.Value)
}

func nullableOf[T any](r huma.Registry) *huma.Schema {
	value := *r.Schema(reflect.TypeFor[T](), true, "")
	value.Nullable = true
	return &value
}

// merged applies a merge patch to a document, both decoded JSON (RFC 7396 section 2).
func merged(document, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	members, ok := document.(map[string]any)
	if !ok {
		members = nil
	}
	result := make(map[string]any, len(members)+len(changes))
	for name, value := range members {
		result[name] = value
	}
	for name, value := range changes {
		if value == nil {
			delete(result, name)
			continue
		}
		result[name] = merged(result[name], value)
	}
	return result
}
